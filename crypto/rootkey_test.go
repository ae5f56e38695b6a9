package crypto

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// testRoot is a root key with known bytes: n, n+1, n+2 ...
func testRoot(n byte) *RootKey {
	var secret [KeySize]byte
	for i := range secret {
		secret[i] = n + byte(i)
	}
	return rootKeyOf(&secret)
}

func TestRootKeysAreRandomAndNamed(t *testing.T) {
	seen := map[KeyID]bool{}
	for range 100 {
		k := NewRootKey()
		if seen[k.ID()] || k.ID() == (KeyID{}) {
			t.Fatalf("key id %s came twice or is zero", k.ID())
		}
		seen[k.ID()] = true
		if bytes.Contains(k.secret()[:], k.id[:4]) {
			t.Fatal("the id shows a part of the key")
		}
	}
	if one, again, two := testRoot(1), testRoot(1), testRoot(2); one.ID() != again.ID() || one.ID() == two.ID() {
		t.Fatal("the id must depend on the key alone")
	}
}

// secretForms is how bytes can look in text: hex, base64, %v of a slice, %#v of a slice, raw.
func secretForms(secret []byte) map[string]string {
	part := secret[4:12] // a part is enough to find, whatever stands around it
	goForm := fmt.Sprintf("%#v", part)
	return map[string]string{
		"raw":     string(part),
		"hex":     hex.EncodeToString(part),
		"HEX":     strings.ToUpper(hex.EncodeToString(part)),
		"decimal": strings.Trim(fmt.Sprint(part), "[]"),
		"%#v":     goForm[strings.Index(goForm, "{")+1 : len(goForm)-1],
		"base64":  base64.StdEncoding.EncodeToString(secret[:30])[:36],
		"words":   fmt.Sprintf("%d %d", binary.LittleEndian.Uint32(part), binary.LittleEndian.Uint32(part[4:])), // an AES key schedule
		"swapped": fmt.Sprintf("%d %d", binary.BigEndian.Uint32(part), binary.BigEndian.Uint32(part[4:])),
		"url":     base64.RawURLEncoding.EncodeToString(secret[:30])[:36],
	}
}

// everyPrint is all the ways in which a value finds its way into a log.
func everyPrint(t *testing.T, v any) string {
	t.Helper()
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U", "%t", "%p", "%20.3v"} {
		fmt.Fprintf(&out, verb+"\n", v)
		fmt.Fprintf(&out, verb+"\n", []any{v})
		fmt.Fprintf(&out, verb+"\n", map[string]any{"k": v})
		fmt.Fprintf(&out, verb+"\n", fmt.Errorf("wrapped: %v", v))
	}
	j, err := json.Marshal(map[string]any{"k": v})
	if err != nil {
		t.Fatalf("json: %v", err)
	}
	out.Write(j)
	slog.New(slog.NewTextHandler(&out, nil)).Info("m", "k", v)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("m", "k", v)
	return out.String()
}

func TestKeysAreNeverPrinted(t *testing.T) {
	root := testRoot(100)
	stage := NewStageKey("prod")
	stage.Rotate()
	header, sealer, err := stage.NewSegment(1)
	if err != nil {
		t.Fatal(err)
	}
	sealKey, err := derive(stage.epochs[1].key[:], header.Salt[:], string(frame(labelSeal, be16(1), []byte("prod"), stage.generation[:], be32(2), be64(1))), 32)
	if err != nil {
		t.Fatal(err)
	}
	hasher := stage.Hasher()
	hasher.Sum([]byte("warm"))

	// A struct of another package that keeps a key by value in a field where fmt calls no methods.
	type holder struct {
		root  RootKey
		ptr   *RootKey
		Shown RootKey
		stage *StageKey
		seal  *Sealer
		hash  *Hasher
	}
	held := holder{*root, root, *root, stage, sealer, hasher}
	secrets := map[string][]byte{
		"root": root.secret()[:], "hash": stage.hash[:], "epoch 1": stage.epochs[0].key[:], "epoch 2": stage.epochs[1].key[:], "segment": sealKey,
	}
	values := map[string]any{
		"*RootKey": root, "RootKey": *root, "holder": held, "*holder": &held,
		"StageKey": stage, "Sealer": sealer, "Hasher": hasher, "header": header,
	}
	for name, v := range values {
		printed := everyPrint(t, v)
		for which, secret := range secrets {
			for form, text := range secretForms(secret) {
				if strings.Contains(printed, text) {
					t.Errorf("%s shows the %s key (%s)", name, which, form)
				}
			}
		}
	}
	// The search itself finds a key that is shown.
	shown := everyPrint(t, root.secret()[:])
	for form, text := range secretForms(root.secret()[:]) {
		if form != "url" && form != "words" && form != "swapped" && !strings.Contains(shown, text) {
			t.Errorf("the test does not find a key printed as %s", form)
		}
	}
	want := "root key " + root.ID().String()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x"} {
		if got := fmt.Sprintf(verb, root); got != want {
			t.Errorf("%s: %q, want %q", verb, got, want)
		}
	}
	if j, err := json.Marshal(root); err != nil || string(j) != `"`+want+`"` {
		t.Errorf("json: %s, %v", j, err)
	}
	if got, want := fmt.Sprintf("%+v", stage), `stage key of "prod", generation `+stage.Generation().String()+", epoch 2"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestEmptyKeysDoNothing(t *testing.T) {
	var none *RootKey
	for name, k := range map[string]*RootKey{"nil": none, "zero": {}} {
		if k.ID() != (KeyID{}) || k.Text() != "" {
			t.Errorf("%s key has an id or a text", name)
		}
		if err := CreateKeyFile(t.TempDir()+"/k", k); err == nil {
			t.Errorf("%s key was written to a file", name)
		}
	}
	if _, err := SealStageKey(&RootKey{}, NewStageKey("s")); err == nil {
		t.Error("a zero root key wrapped a stage key")
	}
	var zero StageKey
	if _, err := SealStageKey(testRoot(1), &zero); err == nil {
		t.Error("a zero stage key was sealed")
	}
	if _, _, err := zero.NewSegment(1); err == nil {
		t.Error("a zero stage key made a segment")
	}
	if _, err := zero.OpenSegment(SegmentHeader{Version: 1}); err == nil {
		t.Error("a zero stage key opened a segment")
	}
}
