package sdktest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/smithy-go"
)

func operations(op types.Op, pathsAndValues ...string) []types.PatchOperation {
	var out []types.PatchOperation
	for i := 0; i+1 < len(pathsAndValues); i += 2 {
		o := types.PatchOperation{Op: op, Path: aws.String(pathsAndValues[i])}
		if op != types.OpRemove {
			o.Value = aws.String(pathsAndValues[i+1])
		}
		out = append(out, o)
	}
	return out
}

func (r *rig) update(c *apigateway.Client, ops []types.PatchOperation) *apigateway.UpdateStageOutput {
	r.t.Helper()
	out, err := c.UpdateStage(r.t.Context(), &apigateway.UpdateStageInput{RestApiId: aws.String("shop"), StageName: aws.String("prod"), PatchOperations: ops})
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func (r *rig) stage(c *apigateway.Client) *apigateway.GetStageOutput {
	r.t.Helper()
	out, err := c.GetStage(r.t.Context(), &apigateway.GetStageInput{RestApiId: aws.String("shop"), StageName: aws.String("prod")})
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func TestReading(t *testing.T) {
	r := newRig(t)
	c, ctx, id := r.adminClient(), t.Context(), aws.String("shop")
	var names []string
	for p := apigateway.NewGetRestApisPaginator(c, &apigateway.GetRestApisInput{Limit: aws.Int32(1)}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, api := range page.Items {
			names = append(names, *api.Id+" "+*api.Name)
			if time.Since(*api.CreatedDate) > time.Hour {
				t.Errorf("created %v", api.CreatedDate)
			}
		}
	}
	if !slices.Equal(names, []string{"shop The shop"}) {
		t.Errorf("APIs: %v", names)
	}
	api, err := c.GetRestApi(ctx, &apigateway.GetRestApiInput{RestApiId: id})
	if err != nil {
		t.Fatal(err)
	}
	stages, err := c.GetStages(ctx, &apigateway.GetStagesInput{RestApiId: id})
	if err != nil || len(stages.Item) != 2 || *stages.Item[0].StageName != "dev" || stages.Item[0].CacheClusterStatus != types.CacheClusterStatusNotAvailable {
		t.Errorf("stages: %+v, %v", stages, err)
	}
	st := r.stage(c)
	product := st.MethodSettings["~1products~1{id}/GET"]
	if !st.CacheClusterEnabled || st.CacheClusterSize != types.CacheClusterSizeSize1Point6Gb || st.CacheClusterStatus != types.CacheClusterStatusAvailable ||
		st.MethodSettings["*/*"].CacheTtlInSeconds != 120 || product.CacheTtlInSeconds != 60 || !product.CachingEnabled ||
		product.UnauthorizedCacheControlHeaderStrategy != types.UnauthorizedCacheControlHeaderStrategySucceedWithResponseHeader || product.ThrottlingRateLimit != 10000 {
		t.Errorf("stage: %+v", st)
	}
	deployments, err := c.GetDeployments(ctx, &apigateway.GetDeploymentsInput{RestApiId: id})
	if err != nil || len(deployments.Items) != 1 || *deployments.Items[0].Id != *st.DeploymentId {
		t.Errorf("deployments: %+v, %v", deployments, err)
	}
	if _, err := c.GetDeployment(ctx, &apigateway.GetDeploymentInput{RestApiId: id, DeploymentId: st.DeploymentId}); err != nil {
		t.Error(err)
	}
	byPath := make(map[string]types.Resource)
	for p := apigateway.NewGetResourcesPaginator(c, &apigateway.GetResourcesInput{RestApiId: id, Embed: []string{"methods"}, Limit: aws.Int32(2)}); p.HasMorePages(); {
		page, err := p.NextPage(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, res := range page.Items {
			byPath[*res.Path] = res
		}
	}
	if got := slices.Sorted(maps.Keys(byPath)); !slices.Equal(got, []string{"/", "/products", "/products/{id}", "/{proxy+}"}) {
		t.Errorf("resources: %v", got)
	}
	if *byPath["/"].Id != *api.RootResourceId || *byPath["/products/{id}"].ParentId != *byPath["/products"].Id {
		t.Errorf("the tree: %v", byPath)
	}
	in := byPath["/products/{id}"].ResourceMethods["GET"].MethodIntegration
	if *in.Uri != r.backend.URL+"/products/{id}" || !slices.Equal(in.CacheKeyParameters, []string{"method.request.path.id"}) || in.TimeoutInMillis != 29000 {
		t.Errorf("integration: %+v", in)
	}
	resource := byPath["/products/{id}"].Id
	method, err := c.GetMethod(ctx, &apigateway.GetMethodInput{RestApiId: id, ResourceId: resource, HttpMethod: aws.String("GET")})
	if err != nil || !method.RequestParameters["method.request.path.id"] {
		t.Errorf("method: %+v, %v", method, err)
	}
	alone, err := c.GetIntegration(ctx, &apigateway.GetIntegrationInput{RestApiId: id, ResourceId: resource, HttpMethod: aws.String("GET")})
	if err != nil || *alone.CacheNamespace != *resource || alone.Type != types.IntegrationTypeHttpProxy {
		t.Errorf("integration: %+v, %v", alone, err)
	}
	account, err := c.GetAccount(ctx, &apigateway.GetAccountInput{})
	if err != nil || account.ThrottleSettings.RateLimit != 10000 {
		t.Errorf("account: %+v, %v", account, err)
	}
}

// What terraform-provider-aws sends for aws_api_gateway_method_settings, and what it reads afterwards: one operation for each
// setting, under the method_path as the user wrote it, and the same text as the key of methodSettings.
func TestTerraformMethodSettings(t *testing.T) {
	r := newRig(t)
	c := r.adminClient()
	for _, path := range []string{"*/*", "products/{id}/GET", "~1products~1{id}/GET", "new/{a}/{b}/GET", "basket/POST"} {
		p := "/" + path + "/"
		r.update(c, operations(types.OpReplace,
			p+"metrics/enabled", "true", p+"logging/loglevel", "INFO", p+"logging/dataTrace", "true",
			p+"throttling/burstLimit", "-1", p+"throttling/rateLimit", "-1.000000",
			p+"caching/enabled", "true", p+"caching/ttlInSeconds", "42", p+"caching/dataEncrypted", "true",
			p+"caching/requireAuthorizationForCacheControl", "true", p+"caching/unauthorizedCacheControlHeaderStrategy", "FAIL_WITH_403"))
		got, ok := r.stage(c).MethodSettings[path]
		want := types.MethodSetting{
			MetricsEnabled: true, LoggingLevel: aws.String("INFO"), DataTraceEnabled: true, ThrottlingBurstLimit: -1, ThrottlingRateLimit: -1,
			CachingEnabled: true, CacheTtlInSeconds: 42, CacheDataEncrypted: true, RequireAuthorizationForCacheControl: true,
			UnauthorizedCacheControlHeaderStrategy: types.UnauthorizedCacheControlHeaderStrategyFailWith403,
		}
		if !ok || fmt.Sprint(deref(got)) != fmt.Sprint(deref(want)) {
			t.Errorf("%s: %+v, want %+v", path, got, want)
		}
		// A second apply changes one setting, and finds the others as they were.
		r.update(c, operations(types.OpReplace, p+"caching/ttlInSeconds", "43"))
		if got := r.stage(c).MethodSettings[path]; got.CacheTtlInSeconds != 43 || got.ThrottlingBurstLimit != -1 || !got.CachingEnabled {
			t.Errorf("%s after a change: %+v", path, got)
		}
	}
	// Every setting is in force, the caching of POST too, which only an entry of its own can switch on.
	for range 2 {
		r.get("POST", "/prod/basket")
	}
	if asked := r.asked.Load(); asked != 1 {
		t.Errorf("POST was asked of the backend %d times, want once", asked)
	}
	// What destroy sends: a second time it finds nothing, which Terraform takes for done by these words.
	for range 2 {
		_, err := c.UpdateStage(t.Context(), &apigateway.UpdateStageInput{RestApiId: aws.String("shop"), StageName: aws.String("prod"), PatchOperations: operations(types.OpRemove, "/*/*", "")})
		var bad *types.BadRequestException
		if err != nil && (!errors.As(err, &bad) || !strings.Contains(bad.ErrorMessage(), "no method setting for this method")) {
			t.Error(err)
		}
	}
	if got := r.stage(c).MethodSettings["*/*"]; got.CacheTtlInSeconds != 120 {
		t.Errorf("after destroy the file's settings are not back: %+v", got)
	}
}

func deref(m types.MethodSetting) any {
	return struct {
		types.MethodSetting
		Level string
	}{types.MethodSetting{
		MetricsEnabled: m.MetricsEnabled, DataTraceEnabled: m.DataTraceEnabled, ThrottlingBurstLimit: m.ThrottlingBurstLimit, ThrottlingRateLimit: m.ThrottlingRateLimit,
		CachingEnabled: m.CachingEnabled, CacheTtlInSeconds: m.CacheTtlInSeconds, CacheDataEncrypted: m.CacheDataEncrypted,
		RequireAuthorizationForCacheControl: m.RequireAuthorizationForCacheControl, UnauthorizedCacheControlHeaderStrategy: m.UnauthorizedCacheControlHeaderStrategy,
	}, aws.ToString(m.LoggingLevel)}
}

func TestSettingsAreInForceAndSurviveARestart(t *testing.T) {
	r := newRig(t)
	c := r.adminClient()
	r.want("/prod/a", true)
	r.update(c, operations(types.OpReplace, "/~1a/GET/caching/enabled", "false", "/description", "the shop", "/variables/colour", "blue"))
	r.want("/prod/a", false)
	r.want("/prod/b", true)
	// Resizing keeps what is there.
	if out := r.update(c, operations(types.OpReplace, "/cacheClusterSize", "6.1")); out.CacheClusterSize != "6.1" || out.CacheClusterStatus != types.CacheClusterStatusAvailable {
		t.Errorf("after resizing: %+v", out)
	}
	if _, cache := r.get("GET", "/prod/b"); !strings.Contains(cache, "; hit") {
		t.Errorf("after resizing an entry is gone: %q", cache)
	}
	// Off and on at once.
	if out := r.update(c, operations(types.OpReplace, "/cacheClusterEnabled", "false")); out.CacheClusterStatus != types.CacheClusterStatusNotAvailable {
		t.Errorf("switched off: %+v", out)
	}
	r.want("/prod/b", false)
	if out := r.update(c, operations(types.OpReplace, "/cacheClusterEnabled", "true")); out.CacheClusterStatus != types.CacheClusterStatusAvailable {
		t.Errorf("switched on: %+v", out)
	}
	r.want("/prod/b", true)

	before := r.stage(c)
	if shown := r.cachectl("stage", "show", "prod"); !strings.Contains(shown, "set at run time") || !strings.Contains(shown, "GET /a") {
		t.Errorf("stage show does not tell where the settings come from:\n%s", shown)
	}
	r.stop()
	r.start()
	after := r.stage(c)
	if fmt.Sprint(before.MethodSettings) == "" || *after.Description != "the shop" || after.Variables["colour"] != "blue" || after.CacheClusterSize != "6.1" ||
		after.MethodSettings["~1a/GET"].CachingEnabled || len(after.MethodSettings) != len(before.MethodSettings) || !after.LastUpdatedDate.Equal(*before.LastUpdatedDate) {
		t.Errorf("before the restart:\n%+v\nafter it:\n%+v", before, after)
	}
	r.want("/prod/a", false)
	r.want("/prod/b", true)
}

func TestFlush(t *testing.T) {
	r := newRig(t)
	c := r.adminClient()
	r.want("/prod/a", true)
	if _, err := c.FlushStageCache(t.Context(), &apigateway.FlushStageCacheInput{RestApiId: aws.String("shop"), StageName: aws.String("prod")}); err != nil {
		t.Fatal(err)
	}
	if body, cache := r.get("GET", "/prod/a"); strings.Contains(cache, "; hit") {
		t.Errorf("after the flush: %q %q", body, cache)
	}
	if _, err := c.FlushStageAuthorizersCache(t.Context(), &apigateway.FlushStageAuthorizersCacheInput{RestApiId: aws.String("shop"), StageName: aws.String("prod")}); err != nil {
		t.Error(err)
	}
}

func TestTags(t *testing.T) {
	r := newRig(t)
	c, ctx := r.adminClient(), t.Context()
	arn := aws.String("arn:aws:apigateway:eu-west-1::/restapis/shop/stages/prod")
	if _, err := c.TagResource(ctx, &apigateway.TagResourceInput{ResourceArn: arn, Tags: map[string]string{"team": "shop", "a b": "c/d"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UntagResource(ctx, &apigateway.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"team", "none"}}); err != nil {
		t.Fatal(err)
	}
	got, err := c.GetTags(ctx, &apigateway.GetTagsInput{ResourceArn: arn})
	if err != nil || fmt.Sprint(got.Tags) != "map[a b:c/d]" || fmt.Sprint(r.stage(c).Tags) != "map[a b:c/d]" {
		t.Errorf("%+v %v", got, err)
	}
}

func TestErrorsHaveTheirTypes(t *testing.T) {
	r := newRig(t)
	c, ctx, id := r.adminClient(), t.Context(), aws.String("shop")
	var missing *types.NotFoundException
	var bad *types.BadRequestException
	if _, err := c.GetRestApi(ctx, &apigateway.GetRestApiInput{RestApiId: aws.String("none")}); !errors.As(err, &missing) || missing.ErrorMessage() != "Invalid API identifier specified 123456789012:none" {
		t.Errorf("%v", err)
	}
	if _, err := c.GetStage(ctx, &apigateway.GetStageInput{RestApiId: id, StageName: aws.String("none")}); !errors.As(err, &missing) {
		t.Errorf("%v", err)
	}
	if _, err := c.CreateStage(ctx, &apigateway.CreateStageInput{RestApiId: id, StageName: aws.String("new"), DeploymentId: aws.String("x")}); !errors.As(err, &bad) || !strings.Contains(bad.ErrorMessage(), "configuration file") {
		t.Errorf("%v", err)
	}
	if _, err := c.DeleteStage(ctx, &apigateway.DeleteStageInput{RestApiId: id, StageName: aws.String("prod")}); !errors.As(err, &bad) {
		t.Errorf("%v", err)
	}
	if _, err := c.CreateDeployment(ctx, &apigateway.CreateDeploymentInput{RestApiId: id}); !errors.As(err, &bad) {
		t.Errorf("%v", err)
	}
	_, err := c.UpdateStage(ctx, &apigateway.UpdateStageInput{RestApiId: id, StageName: aws.String("prod"), PatchOperations: operations(types.OpReplace, "/*/*/caching/enabled", "false", "/nothing", "x")})
	if !errors.As(err, &bad) || !strings.HasPrefix(bad.ErrorMessage(), "Invalid method setting path: /nothing. Must be one of: [/deploymentId, ") {
		t.Errorf("%v", err)
	}
	if st := r.stage(c); !st.MethodSettings["*/*"].CachingEnabled {
		t.Error("one part of a refused update was made")
	}
	var api smithy.APIError
	_, err = c.UpdateStage(ctx, &apigateway.UpdateStageInput{RestApiId: id, StageName: aws.String("prod"), PatchOperations: operations(types.Op("subtract"), "/description", "x")})
	if !errors.As(err, &api) || api.ErrorCode() != "ValidationException" {
		t.Errorf("%v", err)
	}
}

func TestPermissions(t *testing.T) {
	r := newRig(t)
	ctx, id := t.Context(), aws.String("shop")
	reader := r.client("AKIAREADER0000000000", secret)
	r.stage(reader)
	for name, err := range map[string]error{
		"another stage": second(reader.GetStage(ctx, &apigateway.GetStageInput{RestApiId: id, StageName: aws.String("dev")})),
		"the list":      second(reader.GetStages(ctx, &apigateway.GetStagesInput{RestApiId: id})),
		"a change":      second(reader.UpdateStage(ctx, &apigateway.UpdateStageInput{RestApiId: id, StageName: aws.String("prod"), PatchOperations: operations(types.OpReplace, "/description", "x")})),
		"a flush":       second(reader.FlushStageCache(ctx, &apigateway.FlushStageCacheInput{RestApiId: id, StageName: aws.String("prod")})),
	} {
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode() != "AccessDeniedException" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, c := range map[string]*apigateway.Client{"a false secret": r.client("AKIAADMIN00000000000", "x"), "an unknown key": r.client("AKIANOBODY", secret)} {
		var api smithy.APIError
		if _, err := c.GetAccount(ctx, &apigateway.GetAccountInput{}); !errors.As(err, &api) || api.ErrorCode() == "UnknownError" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func second[T any](_ T, err error) error { return err }
