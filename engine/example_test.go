package engine_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"time"

	"stagecache/crypto"
	"stagecache/engine"
)

// Fill a cache, read it, and make it forget what a tag names.
func Example() {
	dir, err := os.MkdirTemp("", "stagecache-example-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	// A program that wants its cache back after a restart reads the key from a file: crypto.ReadKeyFile.
	store, err := engine.Open(filepath.Join(dir, "cache"), engine.Options{
		Key: crypto.NewRootKey(), Capacity: 64e6, Memory: 64e6,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()

	asked := 0
	product := func(ctx context.Context, id string) (string, error) {
		key := []byte("product " + id)
		if e, err := store.Get(nil, key); err == nil && !e.Stale {
			return string(e.Value), nil
		}
		lease, err := store.Lease(ctx, key, engine.LeaseOptions{})
		switch {
		case err != nil:
			return "", err
		case lease.Found != nil: // it came in the meantime
			return string(lease.Found.Value), nil
		case !lease.Held: // somebody else is asking
			e, err := lease.Wait(ctx)
			return string(e.Value), err
		}
		asked++ // here the source is asked
		value := fmt.Sprintf("product %s, answer %d", id, asked)
		// Refused if what it depends on was purged meanwhile; the answer itself is good all the same.
		err = lease.Put([]byte(value), engine.Meta{TTL: time.Minute, Path: "/products/" + id, Tags: []string{"shoes"}})
		if err != nil {
			log.Print(err)
		}
		return value, nil
	}
	show := func() {
		value, err := product(context.Background(), "42")
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(value)
	}
	show()
	show()
	if _, err := store.Purge(context.Background(), engine.Tag("shoes"), engine.Hard); err != nil {
		log.Fatal(err)
	}
	show()
	// Output:
	// product 42, answer 1
	// product 42, answer 1
	// product 42, answer 2
}
