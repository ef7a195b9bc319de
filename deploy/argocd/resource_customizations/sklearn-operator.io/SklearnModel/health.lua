-- The health of a SklearnModel, from its conditions (docs/argocd.md has the table).
-- It runs where Argo CD gives no string library, so messages are joined and nothing is searched in them.
local status = obj.status or {}
local generation = obj.metadata.generation or 0

if status.observedGeneration ~= generation then
  return {status = "Progressing", message = "the operator has not seen generation " .. tostring(generation) .. " yet"}
end

local row = {}
for _, condition in ipairs(status.conditions or {}) do
  row[condition.type] = condition
end

local function is(kind, value)
  return row[kind] ~= nil and row[kind].status == value
end

local function message(kind)
  return row[kind] ~= nil and row[kind].message or ""
end

-- A person has to act. That weighs more than a suspension, which keeps nothing from being wrong.
if is("Stalled", "True") then
  return {status = "Degraded", message = message("Stalled")}
end

if obj.spec.suspend then
  return {status = "Suspended", message = "spec.suspend is true: nothing new is started; " .. message("Ready")}
end

if is("Reconciling", "True") then
  return {status = "Progressing", message = message("Reconciling")}
end

if is("AwaitingApproval", "True") then
  return {status = "Suspended", message = message("AwaitingApproval")}
end

if is("Ready", "True") then
  -- A training by the clock or by request goes on behind a model that serves.
  if is("Trained", "False") then
    return {status = "Healthy", message = message("Ready") .. "; " .. message("Trained")}
  end
  return {status = "Healthy", message = message("Ready")}
end

return {status = "Progressing", message = message("Ready")}
