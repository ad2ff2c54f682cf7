// The hot functions of a device in CUDA C. What each computes is said by the function of its name in minilm.backend.reference.
//
// What limits all of them is memory: an H200 does about fifteen operations in the time that it takes to fetch one float.
// So what counts is how often an array crosses between the GPU's memory and its cores. One such crossing of a whole
// array, in either direction, is called a pass here, and each kernel states how many it makes. A composition of array
// functions makes two or three passes for every operation in it.
//
// Three shapes of kernel:
//   rows      A row belongs to a team of threads, which visit its columns in turn: softmax, normalization, cross-entropy.
//             Some visit a row two or three times. Only the first visit is a pass: a row of a few kilobytes is still in
//             the cache of its multiprocessor (256 KB on an H200, shared by at most 64 rows) when the team comes back.
//   columns   Sums over all rows, one for each column: gradients of biases and weights.
//   elements  Each thread by itself: GELU, dropout, AdamW.
//
// REAL is float or double; the text is compiled once for each. row_kernels.py chooses grids and arguments.

typedef REAL real;
typedef long long int64;  // an array may have more than 2^31 elements: 8 GB of floats

const real LOWEST = sizeof(real) == 4 ? -3.402823466e+38 : -1.7976931348623157e+308;  // the lowest finite number
const unsigned ALL = 0xffffffffu;                                                    // all 32 lanes of a warp

// A grid may be too small for its work: each thread, team or row of threads then takes the next piece, a grid further on.
#define EACH_ELEMENT(i, n) \
    for (int64 i = (int64)blockIdx.x * blockDim.x + threadIdx.x; i < n; i += (int64)gridDim.x * blockDim.x)
#define EACH_ROW(row, rows) \
    for (int64 row = (int64)blockIdx.x * blockDim.y + threadIdx.y; row < rows; row += (int64)gridDim.x * blockDim.y)
#define EACH_COLUMN(c, n) for (int64 c = threadIdx.x; c < n; c += blockDim.x)


// -- teams ------------------------------------------------------------------------------------------------------------
//
// A team is the threads of a block with the same threadIdx.y. It is either one warp (blockDim.x is 32, and the block holds
// several), whose lanes read each other's registers, or a whole block (blockDim.y is 1), whose warps meet in shared memory.
// Neighbouring threads read neighbouring columns, which the hardware joins to one access of 128 bytes.

// The sum over the team of what each thread brings; every thread gets it, and with the same bits.
__device__ real team_sum(real value) {
    for (int distance = 16; distance > 0; distance /= 2) value += __shfl_xor_sync(ALL, value, distance);
    if (blockDim.x == 32) return value;
    __shared__ real parts[32];
    __syncthreads();  // until all have read what the last sum left here
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = value;
    __syncthreads();
    value = 0;
    for (int warp = 0; warp < blockDim.x / 32; warp++) value += parts[warp];
    return value;
}

// The largest of some numbers x, and the sum of exp(x - largest). Both grow together, so that softmax need not visit a row
// once for each (Milakov and Gimelshein 2018, "Online normalizer calculation for softmax").
struct Total {
    real top, sum;
};

// Of two sets of numbers, the Total of their union. A comparison with NaN is false, so `top` never is NaN; the sum becomes it.
__device__ Total merge(Total a, Total b) {
    real top = b.top > a.top ? b.top : a.top;
    return {top, a.sum * exp(a.top - top) + b.sum * exp(b.top - top)};
}

// The same for one number more. `top` begins as a finite number: of nothing but -infinity the sum is then 0, not NaN.
__device__ Total merge(Total a, real x) {
    real top = x > a.top ? x : a.top;
    return {top, a.sum * exp(a.top - top) + exp(x - top)};
}

__device__ Total team_total(Total t) {
    for (int distance = 16; distance > 0; distance /= 2)
        t = merge(t, {__shfl_xor_sync(ALL, t.top, distance), __shfl_xor_sync(ALL, t.sum, distance)});
    if (blockDim.x == 32) return t;
    __shared__ real tops[32], sums[32];
    __syncthreads();
    if (threadIdx.x % 32 == 0) tops[threadIdx.x / 32] = t.top, sums[threadIdx.x / 32] = t.sum;
    __syncthreads();
    t = {tops[0], sums[0]};
    for (int warp = 1; warp < blockDim.x / 32; warp++) t = merge(t, {tops[warp], sums[warp]});
    return t;
}


// -- softmax ----------------------------------------------------------------------------------------------------------

// y = exp(x - max(x)) / sum(exp(x - max(x))) along each row. 2 passes: reads x, writes y, which may be x.
// A sum below 1 lacks exp(0): all of its terms are zero, and so is the row. NaN is not below 1, and stays.
extern "C" __global__ void softmax(const real *x, real *y, int64 rows, int64 n) {
    EACH_ROW(row, rows) {
        const real *from = x + row * n;
        real *to = y + row * n;
        Total t = {LOWEST, 0};
        EACH_COLUMN(c, n) t = merge(t, from[c]);
        t = team_total(t);
        real factor = 1 / (t.sum < 1 ? 1 : t.sum);
        EACH_COLUMN(c, n) to[c] = exp(from[c] - t.top) * factor;
    }
}

// dx = y (g - sum(g y)), where g is multiplied by the dropout mask `keep` first if there is one. 3 passes, with `keep` 4:
// reads g, y, keep; writes dx, which may be g.
extern "C" __global__ void softmax_backward(const real *g, const real *y, const real *keep, real *dx, int64 rows, int64 n) {
    EACH_ROW(row, rows) {
        int64 begin = row * n;
        real dot = 0;
        EACH_COLUMN(c, n) dot += g[begin + c] * (keep ? keep[begin + c] : 1) * y[begin + c];
        dot = team_sum(dot);
        EACH_COLUMN(c, n) {
            int64 i = begin + c;
            dx[i] = y[i] * (g[i] * (keep ? keep[i] : 1) - dot);
        }
    }
}

// y = x - max(x) - log(sum(exp(x - max(x)))). 2 passes.
extern "C" __global__ void log_softmax(const real *x, real *y, int64 rows, int64 n) {
    EACH_ROW(row, rows) {
        const real *from = x + row * n;
        real *to = y + row * n;
        Total t = {LOWEST, 0};
        EACH_COLUMN(c, n) t = merge(t, from[c]);
        t = team_total(t);
        real log_sum = log(t.sum < 1 ? 1 : t.sum);
        EACH_COLUMN(c, n) to[c] = from[c] - t.top - log_sum;
    }
}

// dx = g - exp(y) sum(g). 3 passes.
extern "C" __global__ void log_softmax_backward(const real *g, const real *y, real *dx, int64 rows, int64 n) {
    EACH_ROW(row, rows) {
        int64 begin = row * n;
        real sum = 0;
        EACH_COLUMN(c, n) sum += g[begin + c];
        sum = team_sum(sum);
        EACH_COLUMN(c, n) dx[begin + c] = g[begin + c] - exp(y[begin + c]) * sum;
    }
}


// -- dropout ----------------------------------------------------------------------------------------------------------

// 32 bits for element i: the finalizer of MurmurHash3, once with each half of the key. Unsigned numbers wrap round at 2^32
// in C as in NumPy's uint32, so that both make the same bits.
__device__ unsigned hash(unsigned bits, unsigned low, unsigned high) {
    for (int round = 0; round < 2; round++) {
        bits ^= round ? high : low;
        bits ^= bits >> 16;
        bits *= 0x85ebca6bu;
        bits ^= bits >> 13;
        bits *= 0xc2b2ae35u;
        bits ^= bits >> 16;
    }
    return bits;
}

// mask_i = 0 where the hash is below `threshold`, else `kept`; `first` elements of a larger array come before this one. 1 pass, and no state: a generator of random numbers would have
// to be read and written too, and would give each element the number of whichever thread came first.
extern "C" __global__ void dropout_mask(real *mask, int64 n, unsigned first, unsigned low, unsigned high,
                                        unsigned threshold, real kept) {
    EACH_ELEMENT(i, n) mask[i] = hash(first + (unsigned)i, low, high) >= threshold ? kept : 0;
}


// -- attention --------------------------------------------------------------------------------------------------------

// softmax(scale x + added) along each row of scores x (..., heads, queries, keys), in their memory. A query sees a key if
//   - `allowed` says so, or there is none;
//   - its number is below `seen`, which under a causal mask is query + 1 + keys - queries, so that the last query sees all.
// The probability of a key that is not seen is 0, whatever its score, which is not even read: half of the first pass is
// saved under a causal mask. `allowed` and `added` may be broadcast: their strides count elements, 0 along repeated axes.
// With `keep`, dropout's mask is made on the way.
// 2 passes (1.5 where causal), with `keep` 1 more; x masked, scaled and softened by array functions takes 11 or more.
extern "C" __global__ void masked_softmax(real *x, const bool *allowed, const real *added, int64 batch_stride,
                                          int64 head_stride, int64 query_stride, int64 key_stride, int64 heads,
                                          int64 queries, int64 keys, int64 causal, real scale, real *keep, unsigned first,
                                          unsigned low, unsigned high, unsigned threshold, real kept, int64 rows) {
    EACH_ROW(row, rows) {
        int64 query = row % queries, head = row / queries % heads, batch = row / queries / heads;
        int64 offset = batch * batch_stride + head * head_stride + query * query_stride;
        int64 seen = causal ? query + 1 + keys - queries : keys;
        real *p = x + row * keys;
        Total t = {LOWEST, 0};
        EACH_COLUMN(c, seen) {
            int64 at = offset + c * key_stride;
            if (!allowed || allowed[at]) t = merge(t, scale * p[c] + (added ? added[at] : 0));
        }
        t = team_total(t);
        real factor = 1 / (t.sum < 1 ? 1 : t.sum);
        EACH_COLUMN(c, keys) {
            int64 at = offset + c * key_stride;
            bool sees = c < seen && (!allowed || allowed[at]);
            p[c] = sees ? exp(scale * p[c] + (added ? added[at] : 0) - t.top) * factor : 0;
            if (keep) keep[row * keys + c] = hash(first + (unsigned)(row * keys + c), low, high) >= threshold ? kept : 0;
        }
    }
}


// -- normalization ----------------------------------------------------------------------------------------------------

// y = (x - mean) / sqrt(variance + eps) * weight + bias along each row; weight and bias may be missing. 2 passes, for three
// visits: the variance is that of the differences from the mean, because E[x^2] - mean^2 would subtract near equals.
extern "C" __global__ void layer_norm(const real *x, const real *weight, const real *bias, real *y, real *mean, real *rstd,
                                      int64 rows, int64 n, real eps) {
    EACH_ROW(row, rows) {
        const real *from = x + row * n;
        real sum = 0, squares = 0;
        EACH_COLUMN(c, n) sum += from[c];
        real centre = team_sum(sum) / n;
        EACH_COLUMN(c, n) squares += (from[c] - centre) * (from[c] - centre);
        real scale = 1 / sqrt(team_sum(squares) / n + eps);
        EACH_COLUMN(c, n) {
            real normed = (from[c] - centre) * scale;
            y[row * n + c] = normed * (weight ? weight[c] : 1) + (bias ? bias[c] : 0);
        }
        if (threadIdx.x == 0) mean[row] = centre, rstd[row] = scale;
    }
}

// y = x / sqrt(mean(x^2) + eps) * weight along each row. 2 passes.
extern "C" __global__ void rms_norm(const real *x, const real *weight, real *y, real *rrms, int64 rows, int64 n, real eps) {
    EACH_ROW(row, rows) {
        const real *from = x + row * n;
        real squares = 0;
        EACH_COLUMN(c, n) squares += from[c] * from[c];
        real scale = 1 / sqrt(team_sum(squares) / n + eps);
        EACH_COLUMN(c, n) y[row * n + c] = from[c] * scale * (weight ? weight[c] : 1);
        if (threadIdx.x == 0) rrms[row] = scale;
    }
}

// The gradient of x for both, with d = g weight and x^ = (x - mean) rstd, means along the row:
//   dx = rstd (d - mean(d) - x^ mean(d x^)).
// RMSNorm subtracts no mean forward, so none backward: `mean` is then missing. 3 passes: reads g and x, writes dx.
extern "C" __global__ void norm_backward(const real *g, const real *x, const real *weight, const real *mean,
                                         const real *rstd, real *dx, int64 rows, int64 n) {
    EACH_ROW(row, rows) {
        const real *g_row = g + row * n, *x_row = x + row * n;
        real centre = mean ? mean[row] : 0, scale = rstd[row], sum = 0, along = 0;
        EACH_COLUMN(c, n) {
            real d = g_row[c] * (weight ? weight[c] : 1);
            sum += d;
            along += d * (x_row[c] - centre) * scale;
        }
        real shift = mean ? team_sum(sum) / n : 0;
        along = team_sum(along) / n;
        EACH_COLUMN(c, n) {
            real d = g_row[c] * (weight ? weight[c] : 1);
            dx[row * n + c] = scale * (d - shift - (x_row[c] - centre) * scale * along);
        }
    }
}


// -- sums of columns --------------------------------------------------------------------------------------------------
//
// A block of 32 x 8 threads adds up 32 columns of one part of the rows, each thread every eighth row: a warp reads 32
// neighbouring columns of a row at once. One block a column would leave most multiprocessors without work, so the rows
// are cut into gridDim.y parts. The sums of the parts, an array of gridDim.y rows, are added up by the same kernel in a
// second launch. Atomic additions would need no second launch, but come in any order, so that no two runs agree to the bit.

const int DEPTH = 8;  // blockDim.y

// The sum over threadIdx.y of what the threads with one threadIdx.x bring.
__device__ real depth_sum(real value) {
    __shared__ real parts[DEPTH][32];
    __syncthreads();
    parts[threadIdx.y][threadIdx.x] = value;
    __syncthreads();
    value = 0;
    for (int y = 0; y < DEPTH; y++) value += parts[y][threadIdx.x];
    return value;
}

#define EACH_ROW_OF_PART(row, rows) \
    for (int64 row = rows * blockIdx.y / gridDim.y + threadIdx.y; row < rows * (blockIdx.y + 1) / gridDim.y; row += DEPTH)

// sums (gridDim.y, n): of each part of the rows of x, the sum of each column. 1 pass.
extern "C" __global__ void column_sums(const real *x, real *sums, int64 rows, int64 n) {
    int64 c = (int64)blockIdx.x * 32 + threadIdx.x;
    real sum = 0;
    if (c < n) EACH_ROW_OF_PART(row, rows) sum += x[row * n + c];
    sum = depth_sum(sum);
    if (c < n && threadIdx.y == 0) sums[blockIdx.y * n + c] = sum;
}

// For LayerNorm, sums (gridDim.y, 2, n): of each part of the rows, the sums of g x^ (the weight's gradient) and of g (the
// bias's). For RMSNorm, which has no mean and no bias, sums (gridDim.y, n). 2 passes, which a kernel that kept the sums of
// its columns beside dx would save; but it would need as many registers as a row is long.
extern "C" __global__ void norm_column_sums(const real *g, const real *x, const real *mean, const real *rstd, real *sums,
                                            int64 rows, int64 n) {
    int64 c = (int64)blockIdx.x * 32 + threadIdx.x;
    real dweight = 0, dbias = 0;
    if (c < n) EACH_ROW_OF_PART(row, rows) {
        real gradient = g[row * n + c];
        dweight += gradient * (x[row * n + c] - (mean ? mean[row] : 0)) * rstd[row];
        dbias += gradient;
    }
    dweight = depth_sum(dweight);
    dbias = depth_sum(dbias);
    if (c >= n || threadIdx.y > 0) return;
    real *to = sums + blockIdx.y * n * (mean ? 2 : 1) + c;
    to[0] = dweight;
    if (mean) to[n] = dbias;
}


// -- cross-entropy ----------------------------------------------------------------------------------------------------

// The share of a row's loss that its target has: the weight of the class, or 1; 0 where the row does not count. A target that
// is no class gives NaN, and so a loss that cannot be overlooked: asking the host to look would make it wait.
__device__ real share_of(int64 target, const real *weight, int64 ignored, int64 classes) {
    if (target == ignored) return 0;
    if (target < 0 || target >= classes) return 0 / real(0);
    return weight ? weight[target] : 1;
}

// The sum of the weights of all classes.
__device__ real weight_sum(const real *weight, int64 classes) {
    if (!weight) return classes;
    real sum = 0;
    EACH_COLUMN(c, classes) sum += weight[c];
    return team_sum(sum);
}

// loss = share ((1 - smoothing) l_target) + smoothing / classes * sum_c(weight_c l_c), with l_c = log(sum(exp(x))) - x_c.
// `top` and `total` are what the gradient needs to make the softmax of a row again without looking for its maximum.
// 1 pass: the logits are read, and nothing of their size is written.
extern "C" __global__ void cross_entropy(const real *x, const int64 *target, const real *weight, int64 ignored,
                                         real smoothing, real *loss, real *share, real *top, real *total, int64 rows,
                                         int64 classes) {
    EACH_ROW(row, rows) {
        const real *logits = x + row * classes;
        Total t = {LOWEST, 0};
        EACH_COLUMN(c, classes) t = merge(t, logits[c]);
        t = team_total(t);
        int64 k = target[row];
        real part = share_of(k, weight, ignored, classes), log_sum = log(t.sum);
        bool hits = k != ignored && k >= 0 && k < classes;
        real value = part * (log_sum - (hits ? logits[k] - t.top : 0));
        if (smoothing) {
            real spread = 0;
            EACH_COLUMN(c, classes) spread += (weight ? weight[c] : 1) * (log_sum - (logits[c] - t.top));
            spread = team_sum(spread);
            value = value * (1 - smoothing) + (k != ignored) * spread * (smoothing / classes);
        }
        if (threadIdx.x == 0) loss[row] = value, share[row] = part, top[row] = t.top, total[row] = t.sum;
    }
}

// dx_c = g (softmax(x)_c sum_k(a_k) - a_c), where the target gives class k the share a_k. 2 passes: reads x, writes dx.
// g has one number a row, g_stride apart: 0 where all rows have the same, as under a mean.
extern "C" __global__ void cross_entropy_backward(const real *g, int64 g_stride, const real *x, const int64 *target,
                                                  const real *weight, int64 ignored, real smoothing, const real *top,
                                                  const real *total, real *dx, int64 rows, int64 classes) {
    real all = smoothing ? weight_sum(weight, classes) : 0;
    EACH_ROW(row, rows) {
        int64 k = target[row], begin = row * classes;
        real gradient = g[row * g_stride];
        real hit = gradient * share_of(k, weight, ignored, classes) * (1 - smoothing);
        real spread = k == ignored ? 0 : gradient * (smoothing / classes);
        real factor = (hit + spread * all) / total[row];
        EACH_COLUMN(c, classes) {
            real d = exp(x[begin + c] - top[row]) * factor - (c == k ? hit : 0);
            dx[begin + c] = smoothing ? d - spread * (weight ? weight[c] : 1) : d;
        }
    }
}


// -- embedding --------------------------------------------------------------------------------------------------------

const int BATCH = 256;  // blockDim.x

// table (gridDim.z, rows, width): row r is the sum of all g_i (width) with ids_i = r. A block owns `group` rows of the table and
// 256 of its columns, one a thread, so that no two threads add to the same place and the order of a sum is that of the
// ids: no sorting, no atomic additions, the same bits in each run. It reads the ids in batches of 256, a thread one; those
// who found an id of the block's rows put its place on a list; then all go through the list.
// 2 passes: g is read once, the table written once. Besides, each block reads all ids: rows / group * width / 256 times
// 8 bytes an id, from the cache. Where blocks would be few, the ids are cut into gridDim.z parts, and `column_sums` adds up.
extern "C" __global__ void embedding_grad(const real *g, const int64 *ids, real *table, int64 count, int64 rows,
                                          int64 width, int64 group) {
    __shared__ int64 places[BATCH], owners[BATCH];
    __shared__ int counts[BATCH / 32];
    int64 first = blockIdx.x * group, last = first + group < rows ? first + group : rows;
    int64 c = (int64)blockIdx.y * BATCH + threadIdx.x, end = count * (blockIdx.z + 1) / gridDim.z;
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    table += blockIdx.z * rows * width;
    if (c < width)
        for (int64 row = first; row < last; row++) table[row * width + c] = 0;
    int64 held = first;  // the row whose sum is in a register
    real sum = 0;
    for (int64 begin = count * blockIdx.z / gridDim.z; begin < end; begin += BATCH) {
        int64 i = begin + threadIdx.x, id = i < end ? ids[i] : -1;
        bool mine = id >= first && id < last;
        unsigned finders = __ballot_sync(ALL, mine);
        __syncthreads();  // until all have gone through the last list
        if (lane == 0) counts[warp] = __popc(finders);
        __syncthreads();
        int place = __popc(finders & ((1u << lane) - 1)), found = 0;  // finders in lower lanes
        for (int w = 0; w < BATCH / 32; w++) {
            if (w < warp) place += counts[w];
            found += counts[w];
        }
        if (mine) places[place] = i, owners[place] = id;
        __syncthreads();
        if (c < width)
            for (int f = 0; f < found; f++) {
                if (owners[f] != held) {
                    table[held * width + c] = sum;
                    held = owners[f];
                    sum = table[held * width + c];
                }
                sum += g[places[f] * width + c];
            }
    }
    if (c < width) table[held * width + c] = sum;
}


// -- elements ---------------------------------------------------------------------------------------------------------

// x, but at most 40 away from 0, where the normal density is 0: infinity times it must be 0. NaN stays.
__device__ real bounded(real x) { return x < -40 ? real(-40) : x > 40 ? real(40) : x; }

__device__ real normal_cdf(real x) { return real(0.5) + real(0.5) * erf(x * real(0.70710678118654752440)); }

// (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2
__device__ real tanh_gate(real x) {
    const real slope = 0.79788456080286535588, cubic = slope * real(0.044715);
    return real(0.5) + real(0.5) * tanh(x * (slope + cubic * x * x));
}

// y = x P(X <= x) for a normal X. 2 passes.
extern "C" __global__ void gelu(const real *x, real *y, int64 n) {
    EACH_ELEMENT(i, n) y[i] = x[i] * normal_cdf(bounded(x[i]));
}

extern "C" __global__ void gelu_tanh(const real *x, real *y, int64 n) {
    EACH_ELEMENT(i, n) y[i] = x[i] * tanh_gate(bounded(x[i]));
}

// dx = g (P(X <= x) + x density(x)). 3 passes: the probability is made again from x, which takes less than reading it would.
extern "C" __global__ void gelu_backward(const real *g, const real *x, real *dx, int64 n) {
    const real peak = 0.39894228040143267794;  // 1 / sqrt(2 pi)
    EACH_ELEMENT(i, n) {
        real u = bounded(x[i]);
        dx[i] = g[i] * (normal_cdf(u) + u * peak * exp(real(-0.5) * u * u));
    }
}

// dx = g (gate + x gate'), with gate' = 2 gate (1 - gate) (slope + 3 cubic x^2). 3 passes.
extern "C" __global__ void gelu_tanh_backward(const real *g, const real *x, real *dx, int64 n) {
    const real slope = 0.79788456080286535588, cubic = slope * real(0.044715);
    EACH_ELEMENT(i, n) {
        real u = bounded(x[i]), gate = tanh_gate(u);
        dx[i] = g[i] * (gate + u * gate * (1 - gate) * (2 * slope + 6 * cubic * u * u));
    }
}

// One step of AdamW on all parameters at once, which lie in one buffer. 7 passes: reads p, g, m, v and writes p, m, v; with
// AMSGrad (`v_max`) 9. One launch, where array functions take 14 and twice the passes. The step's scalars are worked out on
// the host, in double precision: rate = lr sqrt(1 - beta2^t) / (1 - beta1^t), shift = eps sqrt(1 - beta2^t), decay = 1 - lr lambda.
extern "C" __global__ void adamw(real *p, const real *g, real *m, real *v, real *v_max, int64 n, real beta1, real rest1,
                                 real beta2, real rest2, real decay, real rate, real shift) {
    EACH_ELEMENT(i, n) {
        m[i] = m[i] * beta1 + g[i] * rest1;
        real second = v[i] = v[i] * beta2 + g[i] * g[i] * rest2;
        if (v_max) {
            if (!(v_max[i] > second) && v_max[i] == v_max[i]) v_max[i] = second;  // NaN stays, and comes over from v
            second = v_max[i];
        }
        p[i] = p[i] * decay - rate * (m[i] / (sqrt(second) + shift));
    }
}
