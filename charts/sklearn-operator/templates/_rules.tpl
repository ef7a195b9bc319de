{{- /*
What the operator may do in a namespace, and nothing else: no list of Secrets, no pods/exec, no wildcards. Tests run the
operator under exactly these rules, and fail on a call that is refused and on a verb that is never used.
*/ -}}
{{- define "sklearn-operator.rules" -}}
# The user's object: read it, hold it by our finalizer while there is something to take down, report on it.
- apiGroups: [sklearn-operator.io]
  resources: [sklearnmodels]
  verbs: [get, list, watch, patch]
- apiGroups: [sklearn-operator.io]
  resources: [sklearnmodels/status, sklearnmodelversions/status]
  verbs: [update]
# Owner references that block the owner's deletion need this right.
- apiGroups: [sklearn-operator.io]
  resources: [sklearnmodels/finalizers]
  verbs: [update]
- apiGroups: [sklearn-operator.io]
  resources: [sklearnmodelversions]
  verbs: [get, list, watch, create, patch, delete]
- apiGroups: [serving.kserve.io]
  resources: [inferenceservices]
  verbs: [get, list, watch, create, patch, delete]
# Proof that a version is live, and the reason when it is not.
- apiGroups: [apps]
  resources: [deployments]
  verbs: [list, watch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list]
# What a person should notice: a training that failed, a version that waits or was rolled back, a slot that was missed.
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create]
{{- end -}}
