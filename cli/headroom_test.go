package cli

import (
	"testing"

	"stagecache/gateway/control"
	"stagecache/gateway/stored"
)

// A store that is opened offline must take what the gateway put there: a compaction would otherwise set the segments with
// the largest answers aside as damaged.
func TestOfflineTakesWhatTheGatewayStores(t *testing.T) {
	if control.HeadRoom < stored.MaxHead {
		t.Errorf("offline a head may have %d bytes, in the gateway %d", control.HeadRoom, stored.MaxHead)
	}
}
