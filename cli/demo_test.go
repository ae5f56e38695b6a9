package cli

import (
	"net"
	"strings"
	"testing"
)

func TestTheDemonstrationSaysThatItIsElsewhere(t *testing.T) {
	first, instead, err := listenDemo("127.0.0.1:0")
	if err != nil || instead != "" {
		t.Fatalf("%q, %v", instead, err)
	}
	defer first.Close()
	taken := first.Addr().String()
	second, instead, err := listenDemo(taken)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if !strings.HasPrefix(instead, taken+" is in use") || !strings.Contains(instead, second.Addr().String()) {
		t.Errorf("%q does not say where it is", instead)
	}
	if l, _, err := listenDemo("256.0.0.1:1"); err == nil {
		l.Close()
		t.Error("an address that cannot be was opened")
	} else if _, ok := err.(*net.OpError); !ok {
		t.Errorf("%v", err)
	}
}
