-- Let the version that waits serve.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["sklearn-operator.io/approve"] = obj.status.candidateVersion
return obj
