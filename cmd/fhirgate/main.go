package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(run(context.Background(), program{args: os.Args[1:], env: os.Environ(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}))
}
