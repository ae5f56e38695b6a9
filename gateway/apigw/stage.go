package apigw

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"

	"stagecache/gateway/config"
)

// stageDoc is a stage as API Gateway shows one.
type stageDoc struct {
	DeploymentID        string                `json:"deploymentId"`
	StageName           string                `json:"stageName"`
	Description         string                `json:"description,omitempty"`
	CacheClusterEnabled bool                  `json:"cacheClusterEnabled"`
	CacheClusterSize    string                `json:"cacheClusterSize,omitempty"`
	CacheClusterStatus  string                `json:"cacheClusterStatus"`
	MethodSettings      map[string]settingDoc `json:"methodSettings"`
	Variables           map[string]string     `json:"variables,omitempty"`
	AccessLogSettings   *accessLog            `json:"accessLogSettings,omitempty"`
	TracingEnabled      bool                  `json:"tracingEnabled"`
	Tags                map[string]string     `json:"tags,omitempty"`
	CreatedDate         int64                 `json:"createdDate"`
	LastUpdatedDate     int64                 `json:"lastUpdatedDate"`
}

// settingDoc is one value of methodSettings, with everything filled in.
type settingDoc struct {
	MetricsEnabled           bool    `json:"metricsEnabled"`
	LoggingLevel             string  `json:"loggingLevel,omitempty"`
	DataTraceEnabled         bool    `json:"dataTraceEnabled"`
	ThrottlingBurstLimit     int     `json:"throttlingBurstLimit"`
	ThrottlingRateLimit      decimal `json:"throttlingRateLimit"`
	CachingEnabled           bool    `json:"cachingEnabled"`
	CacheTTLInSeconds        int64   `json:"cacheTtlInSeconds"`
	CacheDataEncrypted       bool    `json:"cacheDataEncrypted"`
	RequireAuthorization     bool    `json:"requireAuthorizationForCacheControl"`
	UnauthorizedCacheControl string  `json:"unauthorizedCacheControlHeaderStrategy"`
}

// What API Gateway fills in for throttling. There is none here.
const (
	usualBurst = 5000
	usualRate  = 10000
)

// decimal is a number that is written with its point, as API Gateway does: 10000.0.
type decimal float64

func (d decimal) MarshalJSON() ([]byte, error) {
	s := strconv.FormatFloat(float64(d), 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return []byte(s), nil
}

// What a stage's cache can be. Nothing here takes minutes, so the states in between do not occur.
const (
	available    = "AVAILABLE"
	notAvailable = "NOT_AVAILABLE"
)

// document shows a stage. Stages that the file configures have settings from the start, so methodSettings has them all, under
// the spellings that clients have used.
func document(s *config.Stage, n *stageNotes, origin time.Time, deployment string) stageDoc {
	d := stageDoc{
		DeploymentID: deployment, StageName: s.Name, Description: n.Description,
		CacheClusterEnabled: s.Cache.Enabled, CacheClusterSize: gigabytes(s.Cache.Capacity), CacheClusterStatus: notAvailable,
		MethodSettings: make(map[string]settingDoc), Variables: n.Variables, AccessLogSettings: n.AccessLog,
		TracingEnabled: n.Tracing, Tags: n.Tags,
		CreatedDate: origin.Unix(), LastUpdatedDate: max(origin.Unix(), n.Updated.Unix()),
	}
	if s.Cache.Enabled {
		d.CacheClusterStatus = available
	}
	show := func(entry string) {
		m := n.Entries[shape(entry)]
		if m == nil {
			m = &methodNotes{}
		}
		doc := setting(config.EntrySettings(s, entry), m)
		if len(m.Keys) == 0 {
			d.MethodSettings[keyOf(entry)] = doc
		}
		for _, key := range m.Keys {
			d.MethodSettings[key] = doc
		}
	}
	show(config.DefaultEntry)
	for _, m := range s.Methods {
		show(m.Entry())
	}
	return d
}

func setting(v config.Settings, m *methodNotes) settingDoc {
	d := settingDoc{
		MetricsEnabled: m.Metrics, LoggingLevel: m.Logging, DataTraceEnabled: m.DataTrace,
		ThrottlingBurstLimit: usualBurst, ThrottlingRateLimit: usualRate,
		CachingEnabled: v.Caching, CacheTTLInSeconds: int64(v.TTL / time.Second), CacheDataEncrypted: v.Encrypt,
		RequireAuthorization: v.RequireAuthorization, UnauthorizedCacheControl: v.Strategy,
	}
	if m.Burst != nil {
		d.ThrottlingBurstLimit = *m.Burst
	}
	if m.Rate != nil {
		d.ThrottlingRateLimit = decimal(*m.Rate)
	}
	return d
}

// sizes are the capacities that API Gateway sells, in GB.
var sizes = []string{"0.5", "1.6", "6.1", "13.5", "28.4", "58.2", "118", "237"}

// gigabytes writes a capacity as API Gateway does: a decimal number of 10^9 bytes.
func gigabytes(bytes int64) string {
	s := new(big.Rat).SetFrac64(bytes, 1e9).FloatString(9)
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".")
}

// bytesOf reads one of API Gateway's sizes.
func bytesOf(size string) (int64, *Error) {
	for _, s := range sizes {
		if s != size {
			continue
		}
		n, err := config.ParseSize(s + "GB")
		if err != nil {
			panic(fmt.Sprintf("size %s: %v", s, err)) // the list is ours
		}
		return n, nil
	}
	return 0, badRequest("Invalid cache cluster size specified: %q. Must be one of: [%s]. The gateway's configuration file takes any capacity.",
		size, strings.Join(sizes, ", "))
}
