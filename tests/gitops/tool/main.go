// Command gitops answers what the tools that people deploy with make of an object: Argo CD's health, actions and
// diffs, and kstatus, by the libraries that these tools are made of.
//
// Invariant: it reads a JSON list of questions from standard input and writes the list of answers in the same order. It
// opens no connection: what the API server says is part of a question.
package main

import (
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/util/json"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	verbs := map[string]func([]byte) (any, error){
		"health":    each(health),
		"discovery": each(discovery),
		"action":    each(action),
		"diff":      diffs,
		"kstatus":   each(kstatus),
	}
	if len(os.Args) != 2 || verbs[os.Args[1]] == nil {
		return fmt.Errorf("usage: gitops health|discovery|action|diff|kstatus")
	}
	asked, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	answers, err := verbs[os.Args[1]](asked)
	if err != nil {
		return err
	}
	written, err := json.Marshal(answers)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(written)
	return err
}

// refusal is the answer where a script or a library reports an error.
type refusal struct {
	Error string `json:"error"`
}

func each[Q any](answer func(Q) (any, error)) func([]byte) (any, error) {
	return func(asked []byte) (any, error) {
		var questions []Q
		if err := json.Unmarshal(asked, &questions); err != nil {
			return nil, err
		}
		answers := make([]any, 0, len(questions))
		for _, question := range questions {
			one, err := answer(question)
			if err != nil {
				one = refusal{err.Error()}
			}
			answers = append(answers, one)
		}
		return answers, nil
	}
}
