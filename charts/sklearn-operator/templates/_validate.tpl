{{- /* Combinations that the schema cannot refuse. Each message says what to do. */ -}}
{{- define "sklearn-operator.validate" -}}
{{- $v := .Values -}}
{{- if and (gt (int $v.replicas) 1) (not $v.leaderElection.enabled) -}}
{{- fail "replicas is greater than 1, but leaderElection.enabled is false: only the holder of the lease may act; enable it, or set replicas=1" -}}
{{- end -}}
{{- if and (not $v.serviceAccount.create) (not $v.serviceAccount.name) -}}
{{- fail "serviceAccount.create is false and serviceAccount.name is empty: name the service account that the operator shall run as" -}}
{{- end -}}
{{- if and $v.kfp.token.enabled $v.settings.kfpTokenFile -}}
{{- fail "kfp.token.enabled mounts a token of its own: leave settings.kfpTokenFile empty" -}}
{{- end -}}
{{- if and $v.kfp.ca.configMap $v.kfp.ca.secret -}}
{{- fail "kfp.ca.configMap and kfp.ca.secret are both set: name the one that has the certificates" -}}
{{- end -}}
{{- if or $v.kfp.ca.configMap $v.kfp.ca.secret -}}
{{- if $v.settings.kfpCaFile -}}
{{- fail "kfp.ca mounts the certificates by itself: leave settings.kfpCaFile empty" -}}
{{- end -}}
{{- if hasPrefix "http://" $v.settings.kfpUrl -}}
{{- fail "kfp.ca is set, but settings.kfpUrl begins with http://, where no certificate is looked at: use https://" -}}
{{- end -}}
{{- end -}}
{{- if and $v.rbac.artifactSecrets.namespaces (not $v.rbac.artifactSecrets.enabled) -}}
{{- fail "rbac.artifactSecrets.namespaces is set, but rbac.artifactSecrets.enabled is false" -}}
{{- end -}}
{{- if $v.namespaces -}}
{{- range $v.rbac.artifactSecrets.namespaces -}}
{{- if not (has . $v.namespaces) -}}
{{- fail (printf "rbac.artifactSecrets.namespaces names %s, which is not among namespaces: the operator does not look after it" .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $v.networkPolicy.egress (not $v.networkPolicy.enabled) -}}
{{- fail "networkPolicy.egress is set, but networkPolicy.enabled is false" -}}
{{- end -}}
{{- /* What makes no sense in most pods is no value, and may be said all the same. */ -}}
{{- $outside := list "SKLEARN_OPERATOR_KUBECONFIG" "SKLEARN_OPERATOR_POD_ADDRESSES" -}}
{{- range $v.extraEnv -}}
{{- if and (hasPrefix "SKLEARN_OPERATOR_" .name) (not (has .name $outside)) -}}
{{- fail (printf "extraEnv sets %s: settings of the operator belong under settings, see values.yaml" .name) -}}
{{- end -}}
{{- if and $v.tracing.endpoint (eq .name "OTEL_EXPORTER_OTLP_ENDPOINT") -}}
{{- fail "extraEnv sets OTEL_EXPORTER_OTLP_ENDPOINT, and so does tracing.endpoint: leave out one of them" -}}
{{- end -}}
{{- end -}}
{{- if and $v.metrics.prometheusRule.enabled (not (.Files.Get "files/alerts.yaml")) -}}
{{- fail "metrics.prometheusRule.enabled: this chart has no files/alerts.yaml" -}}
{{- end -}}
{{- if and $v.metrics.dashboard.enabled (not (.Files.Get "files/dashboard.json")) -}}
{{- fail "metrics.dashboard.enabled: this chart has no files/dashboard.json" -}}
{{- end -}}
{{- end -}}
