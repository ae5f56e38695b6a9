package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"stagecache/gateway/config"
	"stagecache/internal/dirlock"
)

// ConnectOptions say what to connect to.
type ConnectOptions struct {
	Config *config.Config       // required
	Keys   func() (Keys, error) // required; called only where a store is opened offline
	Logger *slog.Logger         // for stores opened offline; nil: none
	Wait   time.Duration        // how long to wait for a gateway that holds the lock and does not answer; 0: 2 s
}

// Connection is a Service, and how it was reached. Close it.
type Connection struct {
	Service
	Offline bool // no gateway is running: the stores were opened here
	close   func() error
}

// Close ends the connection; offline it closes the stores.
func (c *Connection) Close() error { return c.close() }

// retryEvery is how often Connect looks again: a gateway that starts or stops holds the lock without a socket, and so does
// another command that works offline.
const retryEvery = 50 * time.Millisecond

// Connect reaches whoever has the data directory. The lock decides: free, the stores are opened here; held, its holder is
// asked through the admin socket; held without an answer, the error is an *UnreachableError.
func Connect(ctx context.Context, o ConnectOptions) (*Connection, error) {
	wait := o.Wait
	if wait == 0 {
		wait = 2 * time.Second
	}
	deadline := time.Now().Add(wait)
	for {
		off, err := OpenOffline(o.Config, o.Keys, o.Logger)
		if err == nil {
			return &Connection{Service: off, Offline: true, close: off.Close}, nil
		}
		var held *dirlock.HeldError
		if !errors.As(err, &held) {
			return nil, err
		}
		client := NewClient(o.Config.Admin.Socket)
		pingErr := client.Ping(ctx)
		if pingErr == nil {
			return &Connection{Service: client, close: client.Close}, nil
		}
		client.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if time.Now().After(deadline) {
			return nil, noAnswer(held, o.Config.Admin.Socket, pingErr)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(retryEvery):
		}
	}
}

// ConnectRunning reaches a gateway at its admin socket alone, for callers that know no more than its place. If nobody answers,
// the error is an *UnreachableError.
func ConnectRunning(ctx context.Context, socket string) (*Connection, error) {
	client := NewClient(socket)
	if err := client.Ping(ctx); err != nil {
		client.Close()
		return nil, err
	}
	return &Connection{Service: client, close: client.Close}, nil
}

// ConnectRemote reaches a gateway over the network.
func ConnectRemote(ctx context.Context, o RemoteOptions) (*Connection, error) {
	client, err := NewRemote(o)
	if err != nil {
		return nil, err
	}
	if err := client.Ping(ctx); err != nil {
		client.Close()
		return nil, err
	}
	return &Connection{Service: client, close: client.Close}, nil
}

func noAnswer(held *dirlock.HeldError, socket string, err error) error {
	hint := "see what that process is: a gateway that is starting, stopping or stuck, or another cachectl command"
	var u *UnreachableError
	if errors.As(err, &u) {
		err = u.Err // the reason alone: the sentence around it is below
	}
	return &UnreachableError{
		Message:  fmt.Sprintf("%v, and nobody answers at its admin socket %s", held, socket),
		HintText: hint,
		Err:      err,
	}
}
