package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/fhirgate/fhirgate/storage/embedded"
)

// A running server listens on a socket in its data folder, for the commands that the operator runs beside it. Whoever may open the socket may
// read the folder as well, so it needs no other authorization, and no data goes through it.

// controlName is the socket's file in the data folder.
const controlName = "control.sock"

// freeze asks for a frozen copy of the store: the server answers with the name of its folder in the data folder, which is there until the
// connection is closed.
const freeze = "freeze"

// frozen is the answer to freeze.
type frozen struct {
	Folder string `json:"folder,omitempty"`
	Error  string `json:"error,omitempty"`
}

const (
	// controlWait is how long a peer may take to say what it wants.
	controlWait = 10 * time.Second
	// controlPeers is how many peers are served at a time.
	controlPeers = 4
)

// control is the server's side of the socket.
type control struct {
	engine *embedded.Store
	log    *slog.Logger
	ln     net.Listener
	dir    io.Closer // keeps a path by the folder's descriptor valid
	ctx    context.Context
	stop   context.CancelFunc
	peers  sync.WaitGroup
}

// startControl listens on the socket in the data folder. A server without it serves all the same: the error says what can't be done.
func startControl(engine *embedded.Store, data string, log *slog.Logger) (*control, error) {
	path, dir, err := socketPath(data)
	if err != nil {
		return nil, err
	}
	c := &control{engine: engine, log: log, dir: dir}
	if err = os.Remove(path); err == nil || errors.Is(err, fs.ErrNotExist) { // the store is ours, so nobody listens there
		c.ln, err = net.Listen("unix", path)
	}
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		c.close()
		return nil, fmt.Errorf("the running server can't be backed up: its socket %s can't be made: %w", filepath.Join(data, controlName), err)
	}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.peers.Go(c.serve)
	return c, nil
}

// socketPath returns the path of the socket in a data folder, and what must be kept open while it is used. The path of a socket is at most some
// 100 bytes long; a longer one is reached by the folder's descriptor, where the system has these as files.
func socketPath(data string) (path string, keep io.Closer, err error) {
	path = filepath.Join(data, controlName)
	if len(path) < 100 || runtime.GOOS != "linux" {
		return path, io.NopCloser(nil), nil
	}
	d, err := os.Open(data)
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), controlName), d, nil
}

// close ends what peers do and removes the socket.
func (c *control) close() {
	if c.stop != nil {
		c.stop()
	}
	if c.ln != nil {
		c.ln.Close()
	}
	c.peers.Wait()
	c.dir.Close()
}

// serve takes peers until the socket is closed.
func (c *control) serve() {
	free := make(chan struct{}, controlPeers)
	for {
		conn, err := c.ln.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			select {
			case <-c.ctx.Done():
				return
			case <-time.After(time.Second):
			}
			continue
		}
		select {
		case free <- struct{}{}:
			c.peers.Go(func() {
				defer func() { <-free }()
				c.peer(conn)
			})
		default:
			conn.Close()
		}
	}
}

// peer does what one peer asks for.
func (c *control) peer(conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(c.ctx, func() { conn.Close() })()
	_ = conn.SetDeadline(time.Now().Add(controlWait))
	line, err := bufio.NewReader(io.LimitReader(conn, 64)).ReadString('\n')
	if err != nil || strings.TrimSpace(line) != freeze {
		return
	}
	var answer frozen
	dir, release, err := c.engine.Stage(c.ctx)
	if err != nil {
		answer.Error = err.Error()
	} else {
		answer.Folder = filepath.Base(dir)
		defer func() {
			if err := release(); err != nil {
				c.log.Error("what a backup was made from could not be removed; the next start removes it", "error", err.Error())
			}
		}()
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return
	}
	_ = conn.SetDeadline(time.Now().Add(controlWait))
	if _, err := conn.Write(append(text, '\n')); err != nil || answer.Error != "" {
		return
	}
	_ = conn.SetDeadline(time.Time{})
	_, _ = io.Copy(io.Discard, conn) // until the peer is done, or gone
}

// freezeRunning asks the server that uses a data folder for a frozen copy. running is false where no server does. done must be called.
func freezeRunning(ctx context.Context, data string) (dir string, done func() error, running bool, err error) {
	path, keep, err := socketPath(data)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil, false, nil // no server uses a folder that is not there
	}
	if err != nil {
		return "", nil, false, err
	}
	conn, err := (&net.Dialer{Timeout: controlWait}).DialContext(ctx, "unix", path)
	if err != nil {
		keep.Close()
		if errors.Is(err, fs.ErrPermission) {
			return "", nil, true, fmt.Errorf("this user may not ask the server that uses %s for a backup: run the command as the server's user", data)
		}
		return "", nil, false, nil
	}
	done = func() error { return errors.Join(conn.Close(), keep.Close()) }
	var answer frozen
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if _, err = io.WriteString(conn, freeze+"\n"); err == nil {
		err = json.NewDecoder(io.LimitReader(conn, 64<<10)).Decode(&answer)
	}
	switch {
	case ctx.Err() != nil:
		err = ctx.Err()
	case err != nil:
		err = fmt.Errorf("the server that uses %s did not freeze its store: it may be stopping, or serve other backups", data)
	case answer.Error != "":
		err = errors.New(answer.Error)
	case answer.Folder != filepath.Base(answer.Folder) || answer.Folder == "" || answer.Folder[0] == '.':
		err = errors.New("the server's answer names no folder")
	}
	if err != nil {
		_ = done()
		return "", nil, true, err
	}
	return filepath.Join(data, answer.Folder), done, true, nil
}
