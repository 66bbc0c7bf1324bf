// Waiters answers what other tools say of the object on its standard input: kstatus, by which Flux judges, as the library
// that it is; and a health check for Argo CD, run by the Lua interpreter that Argo CD has built in. For the tests only.
//
//	waiters kstatus        < deployment.json
//	waiters lua health.lua < deployment.json
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func main() {
	object := &unstructured.Unstructured{}
	check(json.NewDecoder(os.Stdin).Decode(object))
	var said, why string
	switch {
	case len(os.Args) == 2 && os.Args[1] == "kstatus":
		result, err := status.Compute(object)
		check(err)
		said, why = string(result.Status), result.Message
	case len(os.Args) == 3 && os.Args[1] == "lua":
		said, why = health(os.Args[2], object.Object)
	default:
		check(fmt.Errorf("usage: waiters kstatus | lua FILE"))
	}
	check(json.NewEncoder(os.Stdout).Encode(map[string]string{"status": said, "message": why}))
}

// health runs a script with `obj` as a global, as Argo CD does, with the libraries that it opens.
func health(file string, object any) (string, string) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
	} {
		check(state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)))
	}
	state.SetGlobal("obj", value(state, object))
	check(state.DoFile(file))
	answer, found := state.Get(-1).(*lua.LTable)
	if !found {
		check(fmt.Errorf("the script returned no table"))
	}
	return lua.LVAsString(answer.RawGetString("status")), lua.LVAsString(answer.RawGetString("message"))
}

func value(state *lua.LState, of any) lua.LValue {
	switch of := of.(type) {
	case map[string]any:
		table := state.NewTable()
		for name, each := range of {
			table.RawSetString(name, value(state, each))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, each := range of {
			table.Append(value(state, each))
		}
		return table
	case string:
		return lua.LString(of)
	case bool:
		return lua.LBool(of)
	case int64:
		return lua.LNumber(of)
	case float64:
		return lua.LNumber(of)
	}
	return lua.LNil
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
