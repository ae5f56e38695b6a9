package config

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

func readDocs(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Every key of the table, under both spellings, and every text that a key may have stand in the reference; and each row
// of its tables is a key.
func TestDocsNameEveryKey(t *testing.T) {
	docs := readDocs(t)
	seen := 0
	known := make(map[string]bool)
	var walk func(k *key, path string)
	walk = func(k *key, path string) {
		for i := range k.keys {
			c := &k.keys[i]
			seen++
			for _, name := range []string{c.name, c.aws} {
				if name != "" && !strings.Contains(docs, "`"+name+"`") {
					t.Errorf("docs/configuration.md does not name `%s` (%s)", name, path+c.name)
				}
				known[name] = true
			}
			for _, text := range c.oneOf {
				if !strings.Contains(docs, "`"+text+"`") {
					t.Errorf("docs/configuration.md does not name `%s`, a value of %s", text, path+c.name)
				}
			}
			if c.doc == "" {
				t.Errorf("%s has no doc", path+c.name)
			}
			walk(c, path+c.name+".")
		}
	}
	walk(&root, "")
	if seen < 60 {
		t.Errorf("only %d keys in the table", seen)
	}
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)`(?:, `([^`]+)`)? \\|").FindAllStringSubmatch(docs, -1)
	if len(rows) < 40 {
		t.Errorf("only %d rows in the tables of docs/configuration.md", len(rows))
	}
	for _, row := range rows {
		for _, name := range row[1:] {
			if name != "" && !known[name] {
				t.Errorf("docs/configuration.md has a row for `%s`, which is no key", name)
			}
		}
	}
}

// The examples in the reference are files that work.
func TestDocsExamples(t *testing.T) {
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(readDocs(t), -1)
	if len(blocks) < 2 {
		t.Fatalf("%d examples", len(blocks))
	}
	for _, b := range blocks {
		if c, err := Parse("stagecache.yaml", []byte(b[1]), skipping); err != nil {
			t.Errorf("%s\n%v", numbered(b[1]), err)
		} else if w := c.Warnings(); len(w) > 0 {
			t.Errorf("%s\n%v", numbered(b[1]), w)
		}
	}
}
