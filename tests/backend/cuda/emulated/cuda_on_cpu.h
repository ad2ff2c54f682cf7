// Enough of CUDA C for a CPU: the text of kernels, compiled with g++, runs with real barriers, shuffles and shared memory.
//
// A CUDA thread is a fiber: a stack of its own, and a place where it went on to wait. Blocks run one after another. Within
// one, a warp runs until it cannot go on, then the next: so a warp that no barrier holds back overtakes the others as far as
// it can, which shows most races. In the other order of threads ("backward") it shows those that the first hides.
// What a block finds in shared memory is NaN (all bits set). Not shown: races that both orders happen to win, speed, the
// rounding of a GPU's own exp and tanh.
//
// Refused, as undefined or endless on a GPU: a shuffle whose mask names a lane that does not come, or not the caller; a
// barrier that only some of the living threads reach.
#pragma once
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

#include <utility>
#include <vector>

#define __global__
#define __device__ static
#define __shared__ static __attribute__((section("cuda_shared")))
extern char __start_cuda_shared[] __attribute__((weak, visibility("hidden")));
extern char __stop_cuda_shared[] __attribute__((weak, visibility("hidden")));

struct dim3 {
    unsigned x = 1, y = 1, z = 1;
};

namespace emulated {

enum State { RUNNING, AT_SHUFFLE, AT_BARRIER, DONE };

struct Thread {
    dim3 index;
    State state;
    unsigned mask;      // AT_SHUFFLE: which lanes it waits for
    unsigned shuffles;  // how many it has taken part in
    bool begun;
    ucontext_t start;
    jmp_buf place;
};

const size_t STACK = 64 << 10;
std::vector<Thread> threads;
std::vector<char> stacks;
jmp_buf scheduler;
ucontext_t outside;
Thread *current;
dim3 grid, block, block_index;
unsigned long long posted[2][1024];  // what threads give away in a shuffle; in turn, as the last may still be read
void (*body)();
char failure[200];

int number() { return int(current - threads.data()); }

// Hands control back until the scheduler lets this thread go on. jmp_buf is swapcontext() without its system calls.
void wait(State state) {
    current->state = state;
    if (!_setjmp(current->place)) _longjmp(scheduler, 1);
}

void begin() {
    body();
    current->state = DONE;
    _longjmp(scheduler, 1);
}

void proceed(Thread &thread) {
    current = &thread;
    if (_setjmp(scheduler)) return;
    if (thread.begun) _longjmp(thread.place, 1);
    thread.begun = true;
    swapcontext(&outside, &thread.start);
}

// Gives `value` to the lanes of `mask`, and returns where theirs are: 32 places, one a lane.
template <class T> unsigned long long *exchange(unsigned mask, T value) {
    int lane = number() % 32;
    if (!(mask >> lane & 1)) snprintf(failure, sizeof failure, "lane %d calls a shuffle whose mask %x lacks it", lane, mask);
    unsigned long long *all = posted[current->shuffles++ % 2];
    memcpy(&all[number()], &value, sizeof value);
    current->mask = mask;
    wait(AT_SHUFFLE);
    return all + (number() - lane);
}

template <class T> T take(const unsigned long long *from) {
    T value;
    memcpy(&value, from, sizeof value);
    return value;
}

// Lets those lanes of a warp go on that wait for each other; whether there are any.
bool release_warp(Thread *warp, int size) {
    for (int lane = 0; lane < size; lane++) {
        if (warp[lane].state != AT_SHUFFLE) continue;
        unsigned mask = warp[lane].mask;
        bool all = true;
        for (int l = 0; l < 32; l++)
            if (mask >> l & 1) all = all && l < size && warp[l].state == AT_SHUFFLE && warp[l].mask == mask;
        if (!all) continue;
        for (int l = 0; l < size; l++)
            if (mask >> l & 1) warp[l].state = RUNNING;
        return true;
    }
    return false;
}

void run_warp(Thread *warp, int size, bool backward) {
    do
        for (int i = 0; i < size; i++) {
            Thread &thread = warp[backward ? size - 1 - i : i];
            if (thread.state == RUNNING) proceed(thread);
        }
    while (release_warp(warp, size));
}

void prepare(int count) {
    threads.resize(count);
    stacks.resize(count * STACK);
    for (int t = 0; t < count; t++) {
        Thread &thread = threads[t];
        thread.index = {t % block.x, t / block.x % block.y, t / (block.x * block.y)};
        thread.state = RUNNING;
        thread.shuffles = 0;
        thread.begun = false;
        getcontext(&thread.start);
        thread.start.uc_stack.ss_sp = &stacks[t * STACK];
        thread.start.uc_stack.ss_size = STACK;
        thread.start.uc_link = nullptr;
        makecontext(&thread.start, begin, 0);
    }
}

bool run_block(bool backward) {
    int count = block.x * block.y * block.z, warps = (count + 31) / 32;
    prepare(count);
    if (__start_cuda_shared) memset(__start_cuda_shared, 0xff, __stop_cuda_shared - __start_cuda_shared);
    for (;;) {
        for (int i = 0; i < warps; i++) {
            int w = backward ? warps - 1 - i : i;
            run_warp(&threads[w * 32], w * 32 + 32 <= count ? 32 : count - w * 32, backward);
        }
        int alive = 0, at_barrier = 0, at_shuffle = 0;
        for (Thread &t : threads) alive += t.state != DONE, at_barrier += t.state == AT_BARRIER, at_shuffle += t.state == AT_SHUFFLE;
        if (failure[0] || !alive) return !failure[0];
        if (at_shuffle || at_barrier < alive) {
            snprintf(failure, sizeof failure, "deadlock: %d threads wait at a shuffle, %d of %d at a barrier", at_shuffle, at_barrier, alive);
            return false;
        }
        for (Thread &t : threads)
            if (t.state == AT_BARRIER) t.state = RUNNING;
    }
}

template <class... A> struct Call {
    static void (*kernel)(A...);
    static void **arguments;
    template <size_t... I> static void with(std::index_sequence<I...>) { kernel(*(A *)arguments[I]...); }
    static void run() { with(std::index_sequence_for<A...>{}); }
};
template <class... A> void (*Call<A...>::kernel)(A...);
template <class... A> void **Call<A...>::arguments;

// Runs the blocks from `first` on along the grid's first axis; what went wrong, or an empty text.
template <class... A>
const char *launch(void (*kernel)(A...), const unsigned *g, const unsigned *b, void **arguments, unsigned first, int backward) {
    Call<A...>::kernel = kernel;
    Call<A...>::arguments = arguments;
    body = Call<A...>::run;
    grid = {g[0], g[1], g[2]};
    block = {b[0], b[1], b[2]};
    failure[0] = 0;
    for (block_index.z = 0; block_index.z < grid.z; block_index.z++)
        for (block_index.y = 0; block_index.y < grid.y; block_index.y++)
            for (block_index.x = first; block_index.x < grid.x; block_index.x++)
                if (!run_block(backward)) return failure;
    return failure;
}

}  // namespace emulated

#define threadIdx (emulated::current->index)
#define blockIdx emulated::block_index
#define blockDim emulated::block
#define gridDim emulated::grid

static void __syncthreads() { emulated::wait(emulated::AT_BARRIER); }

template <class T> static T __shfl_xor_sync(unsigned mask, T value, int distance) {
    int lane = emulated::number() % 32;
    return emulated::take<T>(emulated::exchange(mask, value) + (lane ^ distance));
}

static unsigned __ballot_sync(unsigned mask, int vote) {
    unsigned long long *votes = emulated::exchange(mask, vote);
    unsigned result = 0;
    for (int lane = 0; lane < 32; lane++)
        if (mask >> lane & 1 && emulated::take<int>(votes + lane)) result |= 1u << lane;
    return result;
}

static int __popc(unsigned bits) { return __builtin_popcount(bits); }
