/* An SMTP server that takes all mail and forgets it: fast enough not to be what a benchmark measures.
 *
 *   sink [-p PORT] [-P] [-C] [-r FILE] [-t CERTIFICATE -k KEY]
 *
 * It listens on 127.0.0.1 (PORT 0, the default: any) and prints "port N". One process, one thread, epoll.
 * It knows EHLO, HELO, MAIL, RCPT, DATA, BDAT (RFC 3030), RSET, NOOP, QUIT and STARTTLS (RFC 3207), in the
 * order that RFC 5321 asks for, and says 5xx to anything else. Switches:
 *
 *   -P  does not offer PIPELINING (RFC 2920)       -C  does not offer CHUNKING
 *   -r  writes the recipient of each message it took to FILE, one a line, in the order of its replies
 *   -t, -k  offers STARTTLS with TLS 1.3 only; only where it was compiled with -DWITH_TLS
 *
 * At SIGTERM it prints one line of JSON: connections, messages, octets of text, its CPU time in microseconds,
 * the number of commands that it refused, and of replies that it had to write apart because the other side did
 * not read; then it ends.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef WITH_TLS
#include <openssl/err.h>
#include <openssl/ssl.h>
#endif

enum { LINE_MAX_OCTETS = 2048, READ_OCTETS = 256 * 1024, EVENTS = 64 };

enum phase { COMMAND, TEXT, CHUNK, SHAKE };

struct client {
    int fd;
    enum phase phase;
    bool mail, chunking, closing, watching_output;
    unsigned recipients;
    unsigned matched;     /* octets of CRLF.CRLF seen at the end of what was read */
    uint64_t chunk_left;  /* octets of a BDAT still to come */
    bool chunk_last, chunk_refused;
    size_t line_length;
    char line[LINE_MAX_OCTETS];
    char recipient[512];
    char *out;
    size_t out_length, out_room;
#ifdef WITH_TLS
    SSL *tls;
#endif
};

static struct {
    uint64_t connections, messages, octets, refused, held_back;
} count;
static bool offers_pipelining = true, offers_chunking = true;
static FILE *record;
static int poller;
#ifdef WITH_TLS
static SSL_CTX *context;
static bool offers_tls;
#endif

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void say(struct client *client, const char *text) {
    size_t length = strlen(text);
    if (client->out_length + length > client->out_room) {
        client->out_room = (client->out_length + length) * 2 + 1024;
        client->out = realloc(client->out, client->out_room);
        if (!client->out) die("realloc");
    }
    memcpy(client->out + client->out_length, text, length);
    client->out_length += length;
}

static void refuse(struct client *client, const char *text) {
    count.refused++;
    say(client, text);
}

static void forget_envelope(struct client *client) {
    client->mail = client->chunking = client->chunk_refused = false;
    client->recipients = 0;
}

static void took_it(struct client *client) {
    count.messages++;
    if (record) fprintf(record, "%s\n", client->recipient);
    say(client, "250 2.0.0 taken\r\n");
    forget_envelope(client);
}

/* Commands */

static bool is(const char *line, const char *verb) {
    size_t length = strlen(verb);
    return strncasecmp(line, verb, length) == 0 && (line[length] == '\0' || line[length] == ' ');
}

static void greet(struct client *client, bool extended) {
    forget_envelope(client);
    if (!extended) {
        say(client, "250 sink\r\n");
        return;
    }
    say(client, "250-sink\r\n");
    if (offers_pipelining) say(client, "250-PIPELINING\r\n");
    if (offers_chunking) say(client, "250-CHUNKING\r\n");
#ifdef WITH_TLS
    if (offers_tls && !client->tls) say(client, "250-STARTTLS\r\n");
#endif
    say(client, "250-SIZE 104857600\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SMTPUTF8\r\n");
}

static void rcpt(struct client *client, const char *line) {
    const char *start = strchr(line, '<'), *end = start ? strchr(start, '>') : NULL;
    if (!client->mail || client->chunking) {
        refuse(client, "503 5.5.1 MAIL first\r\n");
    } else if (!end || (size_t)(end - start) >= sizeof client->recipient) {
        refuse(client, "501 5.1.3 no address in it\r\n");
    } else {
        memcpy(client->recipient, start + 1, (size_t)(end - start - 1));
        client->recipient[end - start - 1] = '\0';
        client->recipients++;
        say(client, "250 2.1.5 ok\r\n");
    }
}

static void bdat(struct client *client, const char *line) {
    char *end;
    errno = 0;
    unsigned long long size = strtoull(line + 4, &end, 10);
    bool last = is(end + (*end == ' '), "LAST");
    if (errno || end == line + 4 || (*end != '\0' && !last) || !offers_chunking) {
        refuse(client, "501 5.5.4 BDAT SIZE [LAST]\r\n");
        client->closing = true; /* where the next command begins is not known */
        return;
    }
    client->chunk_refused = client->recipients == 0;
    client->chunking = !client->chunk_refused;
    client->chunk_left = size;
    client->chunk_last = last;
    client->phase = CHUNK;
}

static void chunk_ended(struct client *client) {
    client->phase = COMMAND;
    if (client->chunk_refused) {
        refuse(client, "503 5.5.1 no recipient\r\n");
        client->chunk_refused = false;
    } else if (client->chunk_last) {
        took_it(client);
    } else {
        say(client, "250 2.0.0 chunk taken\r\n");
    }
}

static void command(struct client *client, const char *line) {
    if (is(line, "MAIL")) {
        if (client->mail) {
            refuse(client, "503 5.5.1 one at a time\r\n");
        } else {
            client->mail = true;
            say(client, "250 2.1.0 ok\r\n");
        }
    } else if (is(line, "RCPT")) {
        rcpt(client, line);
    } else if (is(line, "DATA")) {
        if (client->recipients == 0 || client->chunking) {
            refuse(client, "503 5.5.1 no recipient\r\n");
        } else {
            client->phase = TEXT;
            client->matched = 2; /* a dot right away ends it, too */
            say(client, "354 go on\r\n");
        }
    } else if (is(line, "BDAT")) {
        bdat(client, line);
        if (client->phase == CHUNK && client->chunk_left == 0) chunk_ended(client);
    } else if (is(line, "RSET")) {
        forget_envelope(client);
        say(client, "250 2.0.0 ok\r\n");
    } else if (is(line, "NOOP")) {
        say(client, "250 2.0.0 ok\r\n");
    } else if (is(line, "EHLO")) {
        greet(client, true);
    } else if (is(line, "HELO")) {
        greet(client, false);
    } else if (is(line, "QUIT")) {
        say(client, "221 2.0.0 bye\r\n");
        client->closing = true;
#ifdef WITH_TLS
    } else if (is(line, "STARTTLS") && offers_tls && !client->tls) {
        say(client, "220 2.0.0 go on\r\n");
        client->phase = SHAKE;
#endif
    } else {
        refuse(client, "500 5.5.1 not known here\r\n");
    }
}

/* What was read: each takes some of it and says how much */

static size_t take_line(struct client *client, const char *data, size_t length) {
    const char *end = memchr(data, '\n', length);
    size_t part = end ? (size_t)(end - data) + 1 : length;
    if (client->line_length + part >= LINE_MAX_OCTETS) {
        refuse(client, "500 5.5.2 line too long\r\n");
        client->closing = true;
        return length;
    }
    memcpy(client->line + client->line_length, data, part);
    client->line_length += part;
    if (end) {
        size_t used = client->line_length;
        while (used && (client->line[used - 1] == '\n' || client->line[used - 1] == '\r')) used--;
        client->line[used] = '\0';
        client->line_length = 0;
        command(client, client->line);
    }
    return part;
}

static const char TERMINATOR[] = "\r\n.\r\n";
enum { TERMINATOR_OCTETS = 5 };

static unsigned matched_after(unsigned matched, char octet) {
    if (octet == TERMINATOR[matched]) return matched + 1;
    return octet == '\r' ? 1 : 0;
}

/* Where the text ends, behind the terminator; NULL: not in here. Five octets a step where none of the
 * terminator's is under the last of them (Horspool). */
static const char *find_end(const char *data, size_t length) {
    static const unsigned char step['.' + 1] = {['\r'] = 1, ['\n'] = 3, ['.'] = 2};
    size_t at = TERMINATOR_OCTETS - 1;
    while (at < length) {
        unsigned char octet = (unsigned char)data[at];
        if (octet == '\n' && memcmp(data + at - 4, TERMINATOR, TERMINATOR_OCTETS) == 0) return data + at + 1;
        at += octet < sizeof step && step[octet] ? step[octet] : TERMINATOR_OCTETS;
    }
    return NULL;
}

static size_t take_text(struct client *client, const char *data, size_t length) {
    size_t used = 0;
    while (client->matched && used < length) { /* it may have begun in what was read before */
        client->matched = matched_after(client->matched, data[used++]);
        if (client->matched == TERMINATOR_OCTETS) break;
    }
    if (client->matched != TERMINATOR_OCTETS && used < length) {
        const char *end = find_end(data + used, length - used);
        if (end) {
            used = (size_t)(end - data);
            client->matched = TERMINATOR_OCTETS;
        } else {
            size_t tail = length - used < 4 ? used : length - 4;
            for (client->matched = 0; tail < length; tail++)
                client->matched = matched_after(client->matched, data[tail]);
            used = length;
        }
    }
    count.octets += used;
    if (client->matched == TERMINATOR_OCTETS) {
        client->phase = COMMAND;
        took_it(client);
    }
    return used;
}

static size_t take_chunk(struct client *client, size_t length) {
    size_t part = length < client->chunk_left ? length : (size_t)client->chunk_left;
    client->chunk_left -= part;
    count.octets += part;
    if (client->chunk_left == 0) chunk_ended(client);
    return part;
}

static void take(struct client *client, const char *data, size_t length) {
    while (length && !client->closing) {
        size_t used = 0;
        switch (client->phase) {
        case COMMAND: used = take_line(client, data, length); break;
        case TEXT: used = take_text(client, data, length); break;
        case CHUNK: used = take_chunk(client, length); break;
        case SHAKE: client->closing = true; break; /* said something between STARTTLS and TLS (RFC 3207 6) */
        }
        data += used;
        length -= used;
    }
}

/* Moving octets: more than 0 is how many, 0 the end, -1 not now */

static ssize_t fetch(struct client *client, char *into, size_t room) {
#ifdef WITH_TLS
    if (client->tls) {
        int got = SSL_read(client->tls, into, (int)room);
        if (got > 0) return got;
        int why = SSL_get_error(client->tls, got);
        ERR_clear_error();
        return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? -1 : 0;
    }
#endif
    ssize_t got = recv(client->fd, into, room, 0);
    if (got >= 0) return got;
    return errno == EAGAIN || errno == EINTR ? -1 : 0;
}

static ssize_t put(struct client *client) {
#ifdef WITH_TLS
    if (client->tls) {
        int done = SSL_write(client->tls, client->out, (int)client->out_length);
        if (done > 0) return done;
        int why = SSL_get_error(client->tls, done);
        ERR_clear_error();
        return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? -1 : 0;
    }
#endif
    ssize_t done = send(client->fd, client->out, client->out_length, MSG_NOSIGNAL);
    if (done > 0) return done;
    return errno == EAGAIN || errno == EINTR ? -1 : 0;
}

static void watch(struct client *client, bool output) {
    if (client->watching_output == output) return;
    struct epoll_event event = {.events = EPOLLIN | (output ? EPOLLOUT : 0), .data.ptr = client};
    if (epoll_ctl(poller, EPOLL_CTL_MOD, client->fd, &event)) die("epoll_ctl");
    client->watching_output = output;
    count.held_back += output;
}

/* False: the connection is over. */
static bool flush(struct client *client) {
    while (client->out_length) {
        ssize_t done = put(client);
        if (done == 0) return false;
        if (done < 0) {
            watch(client, true);
            return true;
        }
        client->out_length -= (size_t)done;
        memmove(client->out, client->out + done, client->out_length);
    }
    watch(client, false);
    return !client->closing;
}

#ifdef WITH_TLS
static bool shake(struct client *client) {
    if (!client->tls) {
        client->tls = SSL_new(context);
        if (!client->tls || !SSL_set_fd(client->tls, client->fd)) return false;
    }
    int done = SSL_accept(client->tls);
    if (done == 1) {
        client->phase = COMMAND;
        forget_envelope(client);
        return true;
    }
    int why = SSL_get_error(client->tls, done);
    ERR_clear_error();
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
}
#endif

static bool serve(struct client *client) {
    static char buffer[READ_OCTETS];
#ifdef WITH_TLS
    if (client->phase == SHAKE) {
        if (!shake(client)) return false;
        if (client->phase == SHAKE) return true;
    }
#endif
    for (;;) {
        ssize_t got = fetch(client, buffer, sizeof buffer);
        if (got == 0) return false;
        if (got < 0) break;
        take(client, buffer, (size_t)got);
        if (client->closing || client->phase == SHAKE) break;
#ifdef WITH_TLS
        if (client->tls) {
            if (client->out_length > 16 * 1024 && !flush(client)) return false;
            continue; /* what OpenSSL has read ahead wakes nobody */
        }
#endif
        break; /* the others' turn; epoll tells if there is more */
    }
    return flush(client);
}

static void end(struct client *client) {
#ifdef WITH_TLS
    if (client->tls) {
        SSL_shutdown(client->tls);
        ERR_clear_error();
        SSL_free(client->tls);
    }
#endif
    close(client->fd);
    free(client->out);
    free(client);
}

static void welcome(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct client *client = calloc(1, sizeof *client);
    if (!client) die("calloc");
    client->fd = fd;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event)) die("epoll_ctl");
    count.connections++;
    say(client, "220 sink ESMTP\r\n");
    if (!flush(client)) end(client);
}

static void tell_counts(void) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    uint64_t cpu = (uint64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000u +
                   (uint64_t)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    printf("{\"connections\": %llu, \"messages\": %llu, \"octets\": %llu, \"cpu\": %llu, \"refused\": %llu, "
           "\"held_back\": %llu}\n",
           (unsigned long long)count.connections, (unsigned long long)count.messages,
           (unsigned long long)count.octets, (unsigned long long)cpu, (unsigned long long)count.refused,
           (unsigned long long)count.held_back);
    fflush(stdout);
}

static int listen_on(uint16_t port) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) || listen(listener, 512))
        die("listen");
    if (getsockname(listener, (struct sockaddr *)&address, &length)) die("getsockname");
    printf("port %u\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static void prepare_tls(const char *certificate, const char *key) {
    if (!certificate && !key) return;
#ifdef WITH_TLS
    context = SSL_CTX_new(TLS_server_method());
    if (!context || !certificate || !key || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) ||
        SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
        ERR_print_errors_fp(stderr);
        exit(1);
    }
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, 64 * 1024);
    offers_tls = true;
#else
    fputs("compiled without TLS\n", stderr);
    exit(1);
#endif
}

int main(int argc, char **argv) {
    uint16_t port = 0;
    const char *certificate = NULL, *key = NULL;
    int option;
    while ((option = getopt(argc, argv, "p:PCr:t:k:")) != -1) {
        switch (option) {
        case 'p': port = (uint16_t)atoi(optarg); break;
        case 'P': offers_pipelining = false; break;
        case 'C': offers_chunking = false; break;
        case 'r': if (!(record = fopen(optarg, "w"))) die(optarg); break;
        case 't': certificate = optarg; break;
        case 'k': key = optarg; break;
        default: return 2;
        }
    }
    prepare_tls(certificate, key);

    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    int asked = signalfd(-1, &signals, SFD_CLOEXEC), listener = listen_on(port);
    poller = epoll_create1(EPOLL_CLOEXEC);
    if (asked < 0 || poller < 0) die("epoll_create1");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event)) die("epoll_ctl");
    event.data.ptr = &asked;
    if (epoll_ctl(poller, EPOLL_CTL_ADD, asked, &event)) die("epoll_ctl");

    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(poller, events, EVENTS, -1);
        if (ready < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr == &listener) {
                welcome(listener);
            } else if (events[i].data.ptr == &asked) {
                if (record) fclose(record);
                tell_counts();
                return 0;
            } else if (!serve(events[i].data.ptr)) {
                end(events[i].data.ptr);
            }
        }
    }
}
