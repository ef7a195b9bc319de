package main

// Argo CD's comparison of what the repository says with what is in the cluster, by its own engine.

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/argoproj/gitops-engine/pkg/diff"
	openapi "github.com/google/gnostic-models/openapiv2"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/managedfields"
	"k8s.io/kube-openapi/pkg/util/proto"
)

// manager is the name that Argo CD applies under.
const manager = "argocd-controller"

type diffQuestions struct {
	// Schema is the API server's /openapi/v2.
	Schema    json.RawMessage `json:"schema"`
	Questions []diffQuestion  `json:"questions"`
}

type diffQuestion struct {
	Config object `json:"config"`
	Live   object `json:"live"`
	// Predicted is the API server's answer to a server-side apply of Config as a dry run. Absent: compare three ways.
	Predicted json.RawMessage `json:"predicted"`
}

type diffAnswer struct {
	Modified  bool            `json:"modified"`
	Live      json.RawMessage `json:"live"`
	Predicted json.RawMessage `json:"predicted"`
}

func diffs(asked []byte) (any, error) {
	var questions diffQuestions
	if err := utiljson.Unmarshal(asked, &questions); err != nil {
		return nil, err
	}
	parser, err := parserOf(questions.Schema)
	if err != nil {
		return nil, err
	}
	answers := make([]any, 0, len(questions.Questions))
	for _, question := range questions.Questions {
		answer, err := compare(question, parser)
		if err != nil {
			answer = refusal{err.Error()}
		}
		answers = append(answers, answer)
	}
	return answers, nil
}

func compare(question diffQuestion, parser *managedfields.GvkParser) (any, error) {
	options := []diff.Option{diff.WithManager(manager), diff.WithGVKParser(parser)}
	if question.Predicted != nil {
		options = append(options, diff.WithServerSideDiff(true), diff.WithServerSideDryRunner(dryRun(question.Predicted)))
	} else if lastApplied(question.Live) == "" {
		return nil, errors.New("nothing was applied from the client's side: there are no three ways")
	}
	config, live := unstructured.Unstructured{Object: question.Config}, unstructured.Unstructured{Object: question.Live}
	found, err := diff.Diff(&config, &live, options...)
	if err != nil {
		return nil, err
	}
	return diffAnswer{found.Modified, found.NormalizedLive, found.PredictedLive}, nil
}

func lastApplied(live object) string {
	about := unstructured.Unstructured{Object: live}
	return about.GetAnnotations()[diff.AnnotationLastAppliedConfig]
}

func parserOf(schema []byte) (*managedfields.GvkParser, error) {
	document, err := openapi.ParseDocument(schema)
	if err != nil {
		return nil, err
	}
	models, err := proto.NewOpenAPIData(document)
	if err != nil {
		return nil, err
	}
	return managedfields.NewGVKParser(models, false)
}

// dryRun is the answer that somebody else has fetched already.
type dryRun string

func (answer dryRun) Run(context.Context, *unstructured.Unstructured, string) (string, error) {
	return string(answer), nil
}
