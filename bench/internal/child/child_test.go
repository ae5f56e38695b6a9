package child

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
)

// TestMain is also the child's main: a child is this test binary, started again.
func TestMain(m *testing.M) {
	switch Role() {
	case "":
		os.Exit(m.Run())
	case "echo":
		if err := Serve(echo); err != nil {
			os.Exit(1)
		}
	}
}

func echo(setup json.RawMessage) (any, Answer, func() error, error) {
	var name string
	if err := json.Unmarshal(setup, &name); err != nil {
		return nil, nil, nil, err
	}
	if name == "" {
		return nil, nil, nil, errors.New("no name")
	}
	return "I am " + name, func(what string, value json.RawMessage) (any, error) {
		if what == "fail" {
			return nil, errors.New("as asked")
		}
		return value, nil
	}, func() error { return nil }, nil
}

func TestAChildAnswersAndEnds(t *testing.T) {
	var ready string
	c, err := Start("echo", nil, "Ann", &ready)
	if err != nil {
		t.Fatal(err)
	}
	if ready != "I am Ann" {
		t.Errorf("ready: %q", ready)
	}
	var got int
	if err := c.Ask("same", 42, &got); err != nil || got != 42 {
		t.Errorf("got %d, %v", got, err)
	}
	if err := c.Ask("fail", nil, nil); err == nil || !strings.Contains(err.Error(), "echo: fail: as asked") {
		t.Errorf("error %v", err)
	}
	if err := c.Ask("same", 43, &got); err != nil || got != 43 {
		t.Errorf("after an error: got %d, %v", got, err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Ask("same", 44, &got); err == nil {
		t.Error("a child that has ended answers")
	}
}

func TestAChildThatCannotBeginSaysWhy(t *testing.T) {
	if _, err := Start("echo", nil, "", nil); err == nil || !strings.Contains(err.Error(), "no name") {
		t.Errorf("error %v", err)
	}
}

func TestAChildWithoutSetupEndsWithAnError(t *testing.T) {
	if err := serve(strings.NewReader(""), &strings.Builder{}, echo); err == nil {
		t.Error("no error")
	}
}
