package policy

import "testing"

func TestResolve(t *testing.T) {
	for path, want := range map[string]Resolved{
		"/":                    {Merged: "/"},
		"/a/b.c/...":           {Merged: "/a/b.c/..."},
		"/..a/b..":             {Merged: "/..a/b.."},
		"//a///b/":             {Merged: "/a/b/"},
		"/a/.":                 {Dots: true, Merged: "/a/."},
		"/a/../b":              {Dots: true, Merged: "/a/../b"},
		"/a%2F%2e%2E":          {Dots: true, Merged: "/a%2F%2e%2E"},
		"/a/%25252e%25252e/":   {Merged: "/a/%25252e%25252e/"},
		"/a/%252e%252e/":       {Dots: true, Merged: "/a/%252e%252e/"},
		"/a/..;v=1/b":          {Dots: true, Merged: "/a/..;v=1/b"},
		"/..":                  {Dots: true, Climbs: true, Merged: "/.."},
		"/a/../..":             {Dots: true, Climbs: true, Merged: "/a/../.."},
		"/a//../../b":          {Dots: true, Climbs: true, Merged: "/a/../../b"},
		"/a/../../b/c":         {Dots: true, Climbs: true, Merged: "/a/../../b/c"},
		"/%2e%2e%2fb":          {Dots: true, Climbs: true, Merged: "/%2e%2e%2fb"},
		"/a/./../b":            {Dots: true, Merged: "/a/./../b"},
		"/a/;x/../../secret/y": {Dots: true, Climbs: true, Merged: "/a/;x/../../secret/y"},
	} {
		if got := Resolve(path); got != want {
			t.Errorf("%s: got %+v, want %+v", path, got, want)
		}
	}
	if n := testing.AllocsPerRun(10, func() { Resolve("/products/123/a.json") }); n != 0 {
		t.Errorf("%v allocations for a plain path", n)
	}
}
