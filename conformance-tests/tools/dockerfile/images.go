package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/client/llb/sourceresolver"
	"github.com/moby/buildkit/frontend/dockerfile/dockerfile2llb"
	"github.com/moby/buildkit/frontend/dockerui"
	"github.com/moby/buildkit/solver/pb"
	digest "github.com/opencontainers/go-digest"
	ocispecs "github.com/opencontainers/image-spec/specs-go/v1"
)

// bases are the configurations of the images that there are, by their whole names.
type bases struct {
	configs  map[string]json.RawMessage
	lock     sync.Mutex
	resolved []string
}

func (b *bases) ResolveImageConfig(_ context.Context, ref string, _ sourceresolver.Opt) (string, digest.Digest, []byte, error) {
	b.lock.Lock()
	defer b.lock.Unlock()
	config, ok := b.configs[ref]
	if !ok {
		return "", "", nil, fmt.Errorf("%s: not found", ref)
	}
	if !slices.Contains(b.resolved, ref) {
		b.resolved = append(b.resolved, ref)
	}
	return ref, "", config, nil
}

type ran struct {
	Args     []string `json:"args"`
	Env      []string `json:"env"`
	Cwd      string   `json:"cwd"`
	User     string   `json:"user,omitempty"`
	Network  string   `json:"network"`
	Security string   `json:"security"`
	Proxy    bool     `json:"proxy,omitempty"`
}

type image struct {
	Bases    []string        `json:"bases"`
	Names    []string        `json:"names"`
	Commands []ran           `json:"commands"`
	Image    json.RawMessage `json:"image"`
}

// images writes for each Dockerfile of dir the image that comes of it: which images it needs, which
// commands it runs and its configuration, as JSON; or what is wrong.
func images(dir, out string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*.dockerfile"))
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(dir, "bases.json"))
	if err != nil {
		return err
	}
	for _, file := range files {
		var configs map[string]json.RawMessage
		if err := json.Unmarshal(text, &configs); err != nil {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var written bytes.Buffer
		encoder := json.NewEncoder(&written)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", " ")
		if made, err := built(text, &bases{configs: configs}); err != nil {
			written.WriteString(failure(err))
		} else if err := encoder.Encode(made); err != nil {
			return err
		}
		name := strings.TrimSuffix(filepath.Base(file), ".dockerfile") + ".expected"
		if err := os.WriteFile(filepath.Join(out, name), written.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// built is the image that comes of a Dockerfile, whose first comments may say `# build-arg name=value`
// and `# target name`.
func built(text []byte, bases *bases) (*image, error) {
	platform := ocispecs.Platform{OS: "linux", Architecture: "amd64"}
	config := dockerui.Config{BuildArgs: map[string]string{}, BuildPlatforms: []ocispecs.Platform{platform}}
	for _, line := range strings.Split(string(text), "\n") {
		if argument, ok := strings.CutPrefix(line, "# build-arg "); ok {
			name, value, _ := strings.Cut(argument, "=")
			config.BuildArgs[name] = value
		} else if target, ok := strings.CutPrefix(line, "# target "); ok {
			config.Target = target
		}
	}
	ctx := context.Background()
	caps := pb.Caps.CapSet(pb.Caps.All())
	result, err := dockerfile2llb.Dockerfile2LLB(ctx, text, dockerfile2llb.ConvertOpt{
		Config:         config,
		TargetPlatform: &platform,
		MetaResolver:   bases,
		LLBCaps:        &caps,
	})
	if err != nil {
		return nil, err
	}
	definition, err := result.State.Marshal(ctx, llb.Platform(platform))
	if err != nil {
		return nil, err
	}
	made := &image{Bases: append([]string{}, bases.resolved...), Names: []string{}, Commands: []ran{}}
	slices.Sort(made.Bases)
	for _, meta := range definition.Metadata {
		label, name, found := strings.Cut(meta.Description["llb.customname"], "] ")
		// A linked layer has two steps, one of them to put it onto the others.
		name = strings.TrimPrefix(name, "LINK ")
		if found && !strings.HasPrefix(label, "[internal") && !slices.Contains(made.Names, name) {
			made.Names = append(made.Names, name)
		}
	}
	slices.Sort(made.Names)
	for _, encoded := range definition.Def {
		var op pb.Op
		if err := op.UnmarshalVT(encoded); err != nil {
			return nil, err
		}
		exec := op.GetExec()
		if exec == nil {
			continue
		}
		meta := exec.Meta
		made.Commands = append(made.Commands, ran{
			Args: meta.Args, Env: meta.Env, Cwd: meta.Cwd, User: meta.User,
			Network: exec.Network.String(), Security: exec.Security.String(), Proxy: meta.ProxyEnv != nil,
		})
	}
	if result.Image.RootFS.DiffIDs == nil {
		// Whoever writes the image has layers, and no null.
		result.Image.RootFS.DiffIDs = []digest.Digest{}
	}
	made.Image, err = json.Marshal(result.Image)
	return made, err
}
