package main

import (
	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// kstatus is what Flux, kpt and others wait by.
func kstatus(about object) (any, error) {
	computed, err := status.Compute(&unstructured.Unstructured{Object: about})
	if err != nil {
		return nil, err
	}
	return healthAnswer{string(computed.Status), computed.Message}, nil
}
