/* SPDX-License-Identifier: GPL-2.0-only */
#include "stall-window.h"

#include <string.h>

void stall_window_init(StallWindow *w, uint64_t start, unsigned length) {
        *w = (StallWindow){ .armed = true, .start = start, .length = length };
}

void stall_window_progress(StallWindow *w) {
        w->n = 0;
        w->armed = true;
}

bool stall_window_moved(StallWindow *w, uint64_t counter) {
        if (w->counter == counter)
                return false;
        w->counter = counter;
        stall_window_progress(w);
        return true;
}

void stall_window_miss(StallWindow *w) {
        w->n = 0;
}

bool stall_window_is(StallWindow *w, uint64_t start) {
        uint64_t counter = w->counter;

        if (w->start == start)
                return true;
        stall_window_init(w, start, w->length);
        w->counter = counter;
        return false;
}

uint64_t stall_window_span(const StallWindow *w) {
        return w->n ? w->samples[w->n - 1].time_ns - w->samples[0].time_ns : 0;
}

static bool equal(const StallSample *a, const StallSample *b) {
        return a->switches == b->switches && a->runtime_ns == b->runtime_ns;
}

static void append(StallWindow *w, StallSample sample) {
        if (w->n == w->length)
                memmove(w->samples, w->samples + 1, --w->n * sizeof(*w->samples));
        w->samples[w->n++] = sample;
}

static bool is_flat(const StallWindow *w) {
        for (unsigned i = 1; i < w->n; i++)
                if (!equal(&w->samples[0], &w->samples[i]))
                        return false;
        return w->n == w->length;
}

bool stall_window_push(StallWindow *w, StallSample sample, uint64_t interval_ns) {
        const StallSample *last = w->n ? &w->samples[w->n - 1] : NULL;

        if (last && !equal(last, &sample))
                w->armed = true;
        else if (last && sample.time_ns < last->time_ns + interval_ns / 2)
                return false;
        append(w, sample);
        if (!w->armed || !is_flat(w))
                return false;
        w->armed = false;
        return true;
}
