-- retrain and approve write what `kubectl sklearn retrain` and `approve` write; suspend and resume set spec.suspend.
local waiting = false
for _, condition in ipairs((obj.status or {}).conditions or {}) do
  if condition.type == "AwaitingApproval" and condition.status == "True" then
    -- What is said of an earlier generation may be about a version that is no longer the one to wait for.
    waiting = condition.observedGeneration == obj.metadata.generation and obj.status.candidateVersion ~= nil
  end
end
local suspended = obj.spec.suspend == true

return {
  retrain = {disabled = false, iconClass = "fa fa-fw fa-redo", displayName = "Retrain"},
  approve = {disabled = not waiting, iconClass = "fa fa-fw fa-check-circle", displayName = "Approve"},
  suspend = {disabled = suspended, iconClass = "fa fa-fw fa-pause-circle", displayName = "Suspend"},
  resume = {disabled = not suspended, iconClass = "fa fa-fw fa-play-circle", displayName = "Resume"},
}
