-- The health of a SklearnModelVersion: how its training ended, and whether it came up when it was to serve.
-- Argo CD shows it in the tree; the health of an Application is that of the SklearnModel.
local status = obj.status or {}
local phase = status.phase

if phase == "Failed" or phase == "Canceled" then
  local failure = status.failure or {}
  local message = failure.message or ""
  if failure.step ~= nil then
    message = "step " .. failure.step .. ": " .. message
  end
  -- What was called off because something newer is wanted is not broken.
  return {status = phase == "Failed" and "Degraded" or "Suspended", message = message}
end

if phase == "Rejected" then
  local missed = {}
  for _, gate in ipairs(status.gates or {}) do
    if gate.passed == false then
      table.insert(missed, gate.message or (tostring(gate.metric) .. " " .. tostring(gate.bound)))
    end
  end
  return {status = "Degraded", message = "rejected by its gates: " .. table.concat(missed, "; ")}
end

if phase == "Succeeded" then
  local metric = status.metric or "trained"
  for _, condition in ipairs(status.conditions or {}) do
    if condition.type == "Served" and condition.status == "True" then
      return {status = "Healthy", message = metric .. "; answers requests"}
    end
  end
  -- The mark stays when another serving part gives the version a new try, so it counts only while it does not answer.
  if status.rolledBack ~= nil then
    return {status = "Degraded", message = metric .. "; rolled back: " .. (status.rolledBack.message or "")}
  end
  return {status = "Healthy", message = metric}
end

local run = status.run or {}
if run.state ~= nil then
  return {status = "Progressing", message = "run " .. tostring(run.name or run.id) .. ": " .. run.state}
end
return {status = "Progressing", message = "no run yet"}
