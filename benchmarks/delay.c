/* A TCP relay on loopback that holds every octet back: it gives a connection a round-trip time.
 *
 *   delay UPSTREAM_PORT ONE_WAY_MICROSECONDS
 *
 * It listens on a free port of 127.0.0.1, prints "port N", and connects each client with UPSTREAM_PORT there.
 * What either side says, and that it has ended, reaches the other ONE_WAY_MICROSECONDS later: no sooner, and in
 * its order. There is no limit of bandwidth and no loss, and the TCP handshake itself is not delayed; so a reply
 * comes at least twice the one-way time after its command, as over a long and wide line. Ends at SIGTERM.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { READ_OCTETS = 256 * 1024, EVENTS = 64 };

struct end;

/* A piece of the stream on its way; length 0: the stream has ended. */
struct piece {
    struct piece *next_due;   /* of all connections, in the order of their times */
    struct piece *next_here;  /* arrived, and waiting for room in the socket */
    struct end *to;
    int64_t due;
    size_t length, sent;
    char octets[];
};

struct end {
    int fd;
    struct end *other;
    struct piece *first, *last;
    struct end *next_retired;
    bool heard_all, told_all, broken, retired;
    uint32_t watched;     /* for what epoll watches it */
    unsigned on_the_way;  /* pieces that name this end */
};

static int poller, timer;
static int64_t one_way;
static struct piece *head, *tail;
static struct end *retired; /* freed when no event can name them any more */

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void set_timer(void) {
    struct itimerspec when = {0};
    if (head) {
        when.it_value.tv_sec = head->due / 1000000000;
        when.it_value.tv_nsec = head->due % 1000000000;
    }
    if (timerfd_settime(timer, TFD_TIMER_ABSTIME, &when, NULL)) die("timerfd_settime");
}

static void dispatch(struct end *to, const char *octets, size_t length) {
    struct piece *piece = malloc(sizeof *piece + length);
    if (!piece) die("malloc");
    *piece = (struct piece){.to = to, .due = now() + one_way, .length = length};
    memcpy(piece->octets, octets, length);
    to->on_the_way++;
    if (tail) tail->next_due = piece; else head = piece;
    tail = piece;
    if (head == piece) set_timer();
}

/* For what there is to do; one that is only waiting for its pieces must not be told of hang-ups for ever. */
static void watch(struct end *end) {
    uint32_t wanted = (end->heard_all ? 0 : EPOLLIN) | (end->first && !end->broken ? EPOLLOUT : 0);
    if (wanted == end->watched) return;
    struct epoll_event event = {.events = wanted, .data.ptr = end};
    int change = !end->watched ? EPOLL_CTL_ADD : wanted ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
    if (epoll_ctl(poller, change, end->fd, &event)) die("epoll_ctl");
    end->watched = wanted;
}

static void arrived(struct piece *piece) {
    struct end *end = piece->to;
    end->on_the_way--;
    piece->next_here = NULL;
    if (end->last) end->last->next_here = piece; else end->first = piece;
    end->last = piece;
}

static void drop_first(struct end *end) {
    struct piece *gone = end->first;
    end->first = gone->next_here;
    if (!end->first) end->last = NULL;
    free(gone);
}

static void flush(struct end *end) {
    while (end->first) {
        struct piece *piece = end->first;
        if (piece->length == 0) {
            if (!end->broken) shutdown(end->fd, SHUT_WR);
            end->told_all = true;
        } else if (!end->broken) {
            ssize_t done = send(end->fd, piece->octets + piece->sent, piece->length - piece->sent,
                                MSG_NOSIGNAL | MSG_DONTWAIT);
            if (done < 0 && (errno == EAGAIN || errno == EINTR)) break;
            if (done < 0) end->broken = true; else piece->sent += (size_t)done;
            if (!end->broken && piece->sent < piece->length) continue;
        }
        drop_first(end);
    }
    watch(end);
}

static void hear(struct end *end) {
    static char buffer[READ_OCTETS];
    ssize_t got = recv(end->fd, buffer, sizeof buffer, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got <= 0) {
        got = 0;
        end->heard_all = true;
        watch(end);
    }
    dispatch(end->other, buffer, (size_t)got);
}

/* Closes both ends once neither has anything to hear or to tell. */
static void settle(struct end *end) {
    struct end *both[] = {end, end->other};
    for (int i = 0; i < 2; i++)
        if (both[i]->retired || !both[i]->heard_all || !both[i]->told_all || both[i]->on_the_way) return;
    for (int i = 0; i < 2; i++) {
        close(both[i]->fd);
        both[i]->retired = true;
        both[i]->next_retired = retired;
        retired = both[i];
    }
}

static void free_retired(void) {
    while (retired) {
        struct end *gone = retired;
        retired = gone->next_retired;
        free(gone);
    }
}

static void deliver_due(void) {
    uint64_t times;
    if (read(timer, &times, sizeof times) < 0 && errno != EAGAIN) die("read");
    while (head && head->due <= now()) {
        struct piece *piece = head;
        struct end *to = piece->to;
        head = piece->next_due;
        if (!head) tail = NULL;
        arrived(piece);
        flush(to);
        settle(to);
    }
    set_timer();
}

static struct end *new_end(int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct end *end = calloc(1, sizeof *end);
    if (!end) die("calloc");
    end->fd = fd;
    watch(end);
    return end;
}

static void welcome(int listener, const struct sockaddr_in *upstream) {
    int near = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (near < 0) return;
    int far = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (far < 0) die("socket");
    if (connect(far, (const struct sockaddr *)upstream, sizeof *upstream)) {
        close(near);
        close(far);
        return;
    }
    struct end *a = new_end(near), *b = new_end(far);
    a->other = b;
    b->other = a;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fputs("delay UPSTREAM_PORT ONE_WAY_MICROSECONDS\n", stderr);
        return 2;
    }
    one_way = strtoll(argv[2], NULL, 10) * 1000;
    struct sockaddr_in upstream = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[1]))};
    upstream.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct sockaddr_in own = {.sin_family = AF_INET};
    own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof own;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&own, length) || listen(listener, 512)) die("listen");
    if (getsockname(listener, (struct sockaddr *)&own, &length)) die("getsockname");
    signal(SIGPIPE, SIG_IGN);
    poller = epoll_create1(EPOLL_CLOEXEC);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (poller < 0 || timer < 0) die("epoll_create1");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, listener, &event)) die("epoll_ctl");
    event.data.ptr = &timer;
    if (epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event)) die("epoll_ctl");
    printf("port %u\n", ntohs(own.sin_port));
    fflush(stdout);

    for (;;) {
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(poller, events, EVENTS, -1);
        if (ready < 0 && errno != EINTR) die("epoll_wait");
        for (int i = 0; i < ready; i++) {
            if (events[i].data.ptr == &listener) {
                welcome(listener, &upstream);
            } else if (events[i].data.ptr == &timer) {
                deliver_due();
            } else {
                struct end *end = events[i].data.ptr;
                if (events[i].events & EPOLLOUT && !end->retired) flush(end);
                if (!end->heard_all && events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) hear(end);
                settle(end);
            }
        }
        free_retired();
    }
}
