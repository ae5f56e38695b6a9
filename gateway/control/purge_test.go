package control

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"stagecache/engine"
)

func TestWhatAPurgeMeans(t *testing.T) {
	for _, c := range []struct {
		in   PurgeRequest
		want engine.Target
	}{
		{PurgeRequest{Path: "/products/1"}, engine.Path("/products/1")},
		{PurgeRequest{Path: "/products/*"}, engine.Prefix("/products/")},
		{PurgeRequest{Path: "/prod*"}, engine.Prefix("/prod")},
		{PurgeRequest{Path: "/*"}, engine.Prefix("/")},
		{PurgeRequest{Path: "/"}, engine.Path("/")},
		{PurgeRequest{Path: "/products/*/reviews"}, engine.Pattern("/products/*/reviews")},
		{PurgeRequest{Path: "/products/*/reviews/*"}, engine.Pattern("/products/*/reviews/*")},
		{PurgeRequest{Path: "/a%20b"}, engine.Path("/a b")},
		{PurgeRequest{Path: "/a%20b/*"}, engine.Prefix("/a b/")},
		{PurgeRequest{Path: "/50%"}, engine.Path("/50%")},
		{PurgeRequest{Path: "/50%zz%41"}, engine.Path("/50%zzA")},
		{PurgeRequest{Path: "/star%2A"}, engine.Path("/star*")}, // a star that is part of a name
		{PurgeRequest{Tag: "sale,summer"}, engine.Tag("sale,summer")},
		{PurgeRequest{Tag: "/products/*"}, engine.Tag("/products/*")},
	} {
		got, err := c.in.target()
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%+v: %v, %v; want %v", c.in, got, err, c.want)
		}
	}
}

func TestWhatAPurgeCannotBe(t *testing.T) {
	for _, p := range []PurgeRequest{
		{}, {Soft: true}, {Path: "/a", Tag: "b"}, {Path: "products/1"}, {Path: "*"}, {Path: "/a?b=1"}, {Path: "/a#b"},
		{Path: "/a", Request: "/b"}, {Tag: "a", Request: "/b"}, {Path: "/a", Header: map[string][]string{"A": {"b"}}}, {Request: "/" + strings.Repeat("a", maxPurgeText)},
		{Path: "/" + strings.Repeat("a", maxPurgeText)}, {Tag: strings.Repeat("a", maxPurgeText+1)},
	} {
		var e *Error
		if err := p.Check(); !errors.As(err, &e) || e.Status != http.StatusBadRequest {
			t.Errorf("%.40v: %v", p, err)
		}
	}
}
