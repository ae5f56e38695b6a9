package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

func (p *program) completionCommand() *cli.Command {
	return p.leaf(command{
		name: "completion", usage: "print a completion script for bash, zsh or fish", args: "SHELL", min: 1, max: 1,
		description: "bash: source <(cachectl completion bash)\n" +
			"zsh:  source <(cachectl completion zsh)\n" +
			"fish: cachectl completion fish | source",
		run: func(c *call) error {
			switch shell := c.flags.Args().First(); shell {
			case "bash":
				writeBash(c.out, c.flags.App.Commands)
			case "zsh":
				// zsh runs bash's functions once it is told to.
				fmt.Fprintln(c.out, "autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit")
				writeBash(c.out, c.flags.App.Commands)
			case "fish":
				writeFish(c.out, c.flags.App.Commands)
			default:
				return usagef("bash, zsh and fish are known", "no completion for %q", shell)
			}
			return nil
		},
	})
}

// node is one command as completion sees it.
type node struct {
	path  string // " stage show"; "" is cachectl itself
	words []string
}

func nodes(path string, commands []*cli.Command) []node {
	top := node{path: path}
	var below []node
	for _, c := range commands {
		top.words = append(top.words, c.Name)
		if len(c.Subcommands) > 0 {
			below = append(below, nodes(path+" "+c.Name, c.Subcommands)...)
		} else {
			below = append(below, node{path: path + " " + c.Name, words: flagWords(c)})
		}
	}
	return append([]node{top}, below...)
}

// flagWords are the flags of a command, and the words that its argument may be.
func flagWords(c *cli.Command) []string {
	var words []string
	for _, f := range c.Flags {
		words = append(words, "--"+f.Names()[0])
	}
	if c.Name == "completion" {
		words = append(words, "bash", "zsh", "fish")
	}
	return append(words, "--help")
}

// writeBash walks the words up to the cursor down the tree of commands; words that are no command are passed over.
func writeBash(w io.Writer, commands []*cli.Command) {
	tree := nodes("", commands)
	var paths []string
	for _, n := range tree[1:] {
		paths = append(paths, `"`+n.path+`"`)
	}
	fmt.Fprintf(w, `_cachectl() {
  local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" at="" words="" i
  case "$prev" in
    --config|--out|--data-dir|--token-file|--ca|--corpus|--svg) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    --stage|--path|--tag|--interval|--size|--memory|--value-size|--workers|--admin|--method|--user|--action|--resource|--source-ip|--time) COMPREPLY=(); return ;;
  esac
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$at ${COMP_WORDS[i]}" in
      %s) at="$at ${COMP_WORDS[i]}" ;;
    esac
  done
  case "$at" in
`, strings.Join(paths, "|"))
	for _, n := range tree {
		fmt.Fprintf(w, "    %q) words=%q ;;\n", n.path, strings.Join(n.words, " "))
	}
	fmt.Fprint(w, `  esac
  COMPREPLY=($(compgen -W "$words" -- "$cur"))
  if [ "$at" = " config check" ]; then COMPREPLY+=($(compgen -f -- "$cur")); fi
}
complete -o filenames -F _cachectl cachectl
`)
}

func writeFish(w io.Writer, commands []*cli.Command) {
	fmt.Fprintln(w, "complete -c cachectl -f")
	for _, c := range commands {
		fmt.Fprintf(w, "complete -c cachectl -n __fish_use_subcommand -a %s -d %s\n", c.Name, fishQuote(c.Usage))
		if len(c.Subcommands) == 0 {
			fishFlags(w, "__fish_seen_subcommand_from "+c.Name, c)
			continue
		}
		var names []string
		for _, s := range c.Subcommands {
			names = append(names, s.Name)
		}
		here := "__fish_seen_subcommand_from " + c.Name
		for _, s := range c.Subcommands {
			fmt.Fprintf(w, "complete -c cachectl -n %s -a %s -d %s\n",
				fishQuote(here+"; and not __fish_seen_subcommand_from "+strings.Join(names, " ")), s.Name, fishQuote(s.Usage))
			fishFlags(w, here+"; and __fish_seen_subcommand_from "+s.Name, s)
		}
	}
	fmt.Fprintln(w, "complete -c cachectl -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'")
	fmt.Fprintln(w, "complete -c cachectl -n '__fish_seen_subcommand_from config; and __fish_seen_subcommand_from check' -F")
}

func fishFlags(w io.Writer, when string, c *cli.Command) {
	for _, f := range c.Flags {
		name, value := f.Names()[0], ""
		switch {
		case slices.Contains([]string{"config", "out", "data-dir", "token-file", "ca", "corpus", "svg"}, name):
			value = " -r -F"
		case takesValue(f):
			value = " -x"
		}
		usage := ""
		if d, ok := f.(cli.DocGenerationFlag); ok {
			usage = strings.ReplaceAll(d.GetUsage(), "`", "")
		}
		fmt.Fprintf(w, "complete -c cachectl -n %s -l %s%s -d %s\n", fishQuote(when), name, value, fishQuote(usage))
	}
}

func fishQuote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
