package main

// Resource actions: which there are for an object, and the patch that one of them makes.

import (
	"encoding/json"
	"fmt"

	jsonpatch "github.com/evanphx/json-patch/v5"
	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// discovery gives the actions by name; each has at least "disabled".
func discovery(question healthQuestion) (any, error) {
	returned, err := evaluate(question.Script, question.Object)
	if err != nil {
		return nil, err
	}
	var actions map[string]struct {
		Disabled    bool   `json:"disabled"`
		IconClass   string `json:"iconClass"`
		DisplayName string `json:"displayName"`
	}
	err = json.Unmarshal(returned, &actions)
	return actions, err
}

type actionAnswer struct {
	Object object          `json:"object"`
	Patch  json.RawMessage `json:"patch"`
}

// action gives the object that the script returns and the merge patch that is sent for it.
func action(question healthQuestion) (any, error) {
	returned, err := evaluate(question.Script, question.Object)
	if err != nil {
		return nil, err
	}
	var changed object
	if err := utiljson.Unmarshal(returned, &changed); err != nil {
		return nil, err
	}
	changed, ok := restored(changed, question.Object).(object)
	if !ok {
		return nil, fmt.Errorf("the action returned no object")
	}
	before, err := json.Marshal(question.Object)
	if err != nil {
		return nil, err
	}
	after, err := json.Marshal(changed)
	if err != nil {
		return nil, err
	}
	patch, err := jsonpatch.CreateMergePatch(before, after)
	return actionAnswer{changed, patch}, err
}

// restored gives back their type to empty objects: Lua has one empty table, which comes back as a list. Argo CD does
// not look into lists for elements that are empty objects, and so does this.
func restored(changed, original any) any {
	switch now := changed.(type) {
	case map[string]any:
		if before, ok := original.(map[string]any); ok {
			for name, item := range now {
				if old, ok := before[name]; ok {
					now[name] = restored(item, old)
				}
			}
		}
	case []any:
		before, ok := original.([]any)
		if _, table := original.(map[string]any); table && len(now) == 0 {
			return map[string]any{}
		}
		for index := range min(len(now), len(before)) {
			_, list := now[index].([]any)
			if _, was := before[index].([]any); ok && list == was {
				now[index] = restored(now[index], before[index])
			}
		}
	}
	return changed
}
