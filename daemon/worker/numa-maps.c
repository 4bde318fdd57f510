/* SPDX-License-Identifier: GPL-2.0-only */
#include "numa-maps.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "wire/clock.h"

/* ---- the text ---- */

static bool is_blank(char c) {
        return c == ' ' || c == '\t';
}

static bool is_hex(char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static void end_word(NumaMaps *n) {
        if (n->state == NUMA_MAPS_COUNT && n->digits > 0 && n->node < n->n_nodes) {
                _Atomic uint64_t *sum = &n->pages[n->node];
                atomic_store_explicit(sum, atomic_load_explicit(sum, memory_order_relaxed) + n->number,
                                      memory_order_relaxed);
        }
        n->state = NUMA_MAPS_WORD;
}

/* False for what is not a digit, or one too many. */
static bool add_digit(NumaMaps *n, char c) {
        if (c < '0' || c > '9' || __builtin_mul_overflow(n->number, 10, &n->number) ||
            __builtin_add_overflow(n->number, (uint64_t)(c - '0'), &n->number))
                return false;
        n->digits++;
        return true;
}

static void begin_number(NumaMaps *n, NumaMapsState state) {
        n->state = state;
        n->number = n->digits = 0;
}

static void feed_address(NumaMaps *n, char c) {
        enum { ADDRESS_DIGITS = 16 };

        if (is_hex(c) && n->digits < ADDRESS_DIGITS)
                n->digits++;
        else
                n->state = is_blank(c) && n->digits > 0 ? NUMA_MAPS_WORD : NUMA_MAPS_NO_LINE;
}

static void feed_word(NumaMaps *n, char c) {
        if (is_blank(c))
                end_word(n);
        else if (n->state == NUMA_MAPS_WORD && c == 'N')
                begin_number(n, NUMA_MAPS_NODE);
        else if (n->state == NUMA_MAPS_NODE && c == '=' && n->digits > 0) {
                n->node = n->number;
                begin_number(n, NUMA_MAPS_COUNT);
        } else if ((n->state != NUMA_MAPS_NODE && n->state != NUMA_MAPS_COUNT) || !add_digit(n, c))
                n->state = NUMA_MAPS_NO_WORD;
}

void numa_maps_feed(NumaMaps *n, const char *text, size_t length) {
        for (const char *c = text; c < text + length; c++)
                if (*c == '\n') {
                        end_word(n);
                        begin_number(n, NUMA_MAPS_ADDRESS);
                } else if (n->state == NUMA_MAPS_ADDRESS)
                        feed_address(n, *c);
                else if (n->state != NUMA_MAPS_NO_LINE)
                        feed_word(n, *c);
}

/* ---- the file ---- */

bool numa_maps_read(_Atomic uint64_t *pages, uint32_t n_nodes) {
        NumaMaps n = { .pages = pages, .n_nodes = n_nodes };
        char text[1024];
        ssize_t length;

        int fd = open("/proc/self/numa_maps", O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return false;
        while ((length = read(fd, text, sizeof(text))) > 0 || (length < 0 && errno == EINTR))
                if (length > 0)
                        numa_maps_feed(&n, text, (size_t)length);
        close(fd);
        return length == 0;
}

bool numa_gauge_read(NumaGauge *g, _Atomic uint64_t *pages, uint32_t n_nodes) {
        pthread_mutex_lock(&g->lock);
        if (!g->read_ns || monotonic_ns() - g->read_ns > NUMA_GAUGE_MS * NS_PER_MS) {
                g->pages = numa_maps_read(pages, n_nodes) ? pages : NULL;
                g->read_ns = monotonic_ns();
        } else if (g->pages)
                for (uint32_t i = 0; i < n_nodes; i++)
                        atomic_store_explicit(&pages[i], g->pages[i], memory_order_relaxed);
        bool valid = g->pages;
        pthread_mutex_unlock(&g->lock);
        return valid;
}
