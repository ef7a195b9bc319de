{{- define "sklearn-operator.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "sklearn-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end -}}

{{- define "sklearn-operator.labels" -}}
{{ include "sklearn-operator.selectorLabels" . }}
app.kubernetes.io/part-of: sklearn-operator
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "sklearn-operator.serviceAccountName" -}}
{{- default (include "sklearn-operator.fullname" .) .Values.serviceAccount.name -}}
{{- end -}}

{{- /* Two releases in one namespace have a Lease each. */ -}}
{{- define "sklearn-operator.leaseName" -}}
{{- default (include "sklearn-operator.fullname" .) .Values.settings.leaseName -}}
{{- end -}}

{{- /* repository:tag, or repository@digest; given a dictionary of `image` and `root`. */ -}}
{{- define "sklearn-operator.image" -}}
{{- if .image.digest -}}
{{ .image.repository }}@{{ .image.digest }}
{{- else -}}
{{ .image.repository }}:{{ default .root.Chart.AppVersion .image.tag }}
{{- end -}}
{{- end -}}

{{- define "sklearn-operator.operatorImage" -}}
{{- include "sklearn-operator.image" (dict "image" .Values.image "root" .) -}}
{{- end -}}

{{- define "sklearn-operator.trainerImage" -}}
{{- include "sklearn-operator.image" (dict "image" .Values.trainer.image "root" .) -}}
{{- end -}}

{{- /* The subject of every binding. */ -}}
{{- define "sklearn-operator.subjects" -}}
subjects:
- kind: ServiceAccount
  name: {{ include "sklearn-operator.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end -}}

{{- /* Annotations of what outlives the release. */ -}}
{{- define "sklearn-operator.keep" -}}
annotations:
  helm.sh/resource-policy: keep
{{- end -}}
