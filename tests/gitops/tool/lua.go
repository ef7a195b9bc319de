package main

// The Lua that Argo CD runs scripts of a ConfigMap in: the libraries base, package and table, of os what tells the time
// (by require), one second, and the object as a table. There is no string library, no math and no print to rely on.

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	lua "github.com/yuin/gopher-lua"
	luajson "layeh.com/gopher-json"
)

const limit = time.Second

// object is one that the API server would send: integers are int64, as in the controller.
type object = map[string]any

// evaluate runs the script with the global obj and gives what it returns, as JSON.
func evaluate(script string, about object) ([]byte, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for _, library := range []struct {
		name string
		open lua.LGFunction
	}{{lua.LoadLibName, lua.OpenPackage}, {lua.BaseLibName, lua.OpenBase}, {lua.TabLibName, lua.OpenTable}} {
		if err := load(state, library.name, library.open); err != nil {
			return nil, err
		}
	}
	state.PreloadModule(lua.OsLibName, clock)
	within, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	state.SetContext(within)
	state.SetGlobal("actionParams", state.NewTable())
	state.SetGlobal("obj", asLua(state, about))
	if err := state.DoString(script); err != nil {
		return nil, err
	}
	returned := state.Get(-1)
	if returned.Type() != lua.LTTable {
		return nil, fmt.Errorf("expect table output from Lua script, not %s", returned.Type())
	}
	return luajson.Encode(returned)
}

func load(state *lua.LState, name string, open lua.LGFunction) error {
	call := lua.P{Fn: state.NewFunction(open), NRet: 0, Protect: true}
	return state.CallByParam(call, lua.LString(name))
}

// clock gives of the os library what can do no harm, and leaves nothing of that name behind: what is in the registry
// of loaded modules would be what require returns.
func clock(state *lua.LState) int {
	loaded := state.GetField(state.Get(lua.RegistryIndex), "_LOADED")
	before := state.GetField(loaded, lua.OsLibName)
	if err := load(state, lua.OsLibName, lua.OpenOs); err != nil {
		state.RaiseError("%s", err)
	}
	whole, safe := state.GetGlobal(lua.OsLibName), state.NewTable()
	for _, name := range []string{"time", "date"} {
		safe.RawSetString(name, state.GetField(whole, name))
	}
	state.SetGlobal(lua.OsLibName, lua.LNil)
	state.SetField(loaded, lua.OsLibName, before)
	state.Push(safe)
	return 1
}

func asLua(state *lua.LState, value any) lua.LValue {
	switch known := value.(type) {
	case bool:
		return lua.LBool(known)
	case string:
		return lua.LString(known)
	case float64:
		return lua.LNumber(known)
	case int64:
		return lua.LNumber(known)
	case []any:
		list := state.CreateTable(len(known), 0)
		for _, item := range known {
			list.Append(asLua(state, item))
		}
		return list
	case map[string]any:
		table := state.CreateTable(0, len(known))
		for name, item := range known {
			table.RawSetString(name, asLua(state, item))
		}
		return table
	}
	return lua.LNil
}

type healthQuestion struct {
	Script string `json:"script"`
	Object object `json:"object"`
}

type healthAnswer struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

// health runs a health script. Argo CD takes any other word than these for Unknown.
func health(question healthQuestion) (any, error) {
	returned, err := evaluate(question.Script, question.Object)
	if err != nil {
		return nil, err
	}
	var answer healthAnswer
	if err := json.Unmarshal(returned, &answer); err != nil {
		return nil, err
	}
	switch answer.Status {
	case "Unknown", "Progressing", "Suspended", "Healthy", "Degraded", "Missing":
		return answer, nil
	}
	return nil, fmt.Errorf("invalid health status %q", answer.Status)
}
