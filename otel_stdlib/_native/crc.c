/* CRC-32 as zlib.crc32 computes it (reflected polynomial 0xEDB88320), without zlib.

   Three ways to the same number. On x86-64 with PCLMULQDQ the data is folded 64 bytes at a time, as in Intel's paper
   "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction" (2009), whose constants for this
   polynomial these are. Everywhere else, and for what is short, eight tables take eight bytes at a time. */
#include "native.h"

#if defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define HAVE_FOLDING 1
#include <immintrin.h>
#endif

static uint32_t tables[8][256];
static int can_fold;

void crc32_prepare(void) {
    for (uint32_t byte = 0; byte < 256; byte++) {
        uint32_t value = byte;
        for (int bit = 0; bit < 8; bit++) value = (value >> 1) ^ (0xEDB88320u & (0u - (value & 1u)));
        tables[0][byte] = value;
    }
    for (int table = 1; table < 8; table++)
        for (int byte = 0; byte < 256; byte++) {
            uint32_t before = tables[table - 1][byte];
            tables[table][byte] = (before >> 8) ^ tables[0][before & 0xFF];
        }
#ifdef HAVE_FOLDING
    __builtin_cpu_init();
    can_fold = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
#endif
}

/* `state` is the complement of the CRC, as inside zlib. */
static uint32_t by_tables(const uint8_t *data, size_t size, uint32_t state) {
    for (; size >= 8; data += 8, size -= 8) {
        uint32_t low = load_u32(data) ^ state, high = load_u32(data + 4);
        state = tables[7][low & 0xFF] ^ tables[6][(low >> 8) & 0xFF] ^ tables[5][(low >> 16) & 0xFF] ^
                tables[4][low >> 24] ^ tables[3][high & 0xFF] ^ tables[2][(high >> 8) & 0xFF] ^
                tables[1][(high >> 16) & 0xFF] ^ tables[0][high >> 24];
    }
    while (size--) state = (state >> 8) ^ tables[0][(state ^ *data++) & 0xFF];
    return state;
}

#ifdef HAVE_FOLDING
#define FOLDING __attribute__((target("pclmul,sse4.1")))

FOLDING static inline __m128i load(const uint8_t *from) { return _mm_loadu_si128((const __m128i *)(const void *)from); }

/* The 128 bits of `value`, moved on by the distance that `by` stands for, with `next` added. */
FOLDING static inline __m128i folded(__m128i value, __m128i by, __m128i next) {
    __m128i low = _mm_clmulepi64_si128(value, by, 0x00), high = _mm_clmulepi64_si128(value, by, 0x11);
    return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/* At least 64 bytes. */
FOLDING static uint32_t by_folding(const uint8_t *data, size_t size, uint32_t state) {
    const __m128i by_512 = _mm_set_epi64x(0x01C6E41596, 0x0154442BD4);
    const __m128i by_128 = _mm_set_epi64x(0x00CCAA009E, 0x01751997D0);
    const __m128i by_64 = _mm_set_epi64x(0, 0x0163CD6124);
    const __m128i barrett = _mm_set_epi64x(0x01F7011641, 0x01DB710641);
    const __m128i low_words = _mm_setr_epi32(~0, 0, ~0, 0);

    __m128i lane[4];
    for (int i = 0; i < 4; i++) lane[i] = load(data + 16 * i);
    lane[0] = _mm_xor_si128(lane[0], _mm_cvtsi32_si128((int)state));
    for (data += 64, size -= 64; size >= 64; data += 64, size -= 64)
        for (int i = 0; i < 4; i++) lane[i] = folded(lane[i], by_512, load(data + 16 * i));

    __m128i sum = lane[0];
    for (int i = 1; i < 4; i++) sum = folded(sum, by_128, lane[i]);
    for (; size >= 16; data += 16, size -= 16) sum = folded(sum, by_128, load(data));

    /* 128 bits to 64, those to 32 (Barrett's reduction). */
    __m128i low = _mm_clmulepi64_si128(sum, by_128, 0x10);
    sum = _mm_xor_si128(_mm_srli_si128(sum, 8), low);
    __m128i high = _mm_srli_si128(sum, 4);
    sum = _mm_xor_si128(_mm_clmulepi64_si128(_mm_and_si128(sum, low_words), by_64, 0x00), high);
    __m128i quotient = _mm_clmulepi64_si128(_mm_and_si128(sum, low_words), barrett, 0x10);
    quotient = _mm_clmulepi64_si128(_mm_and_si128(quotient, low_words), barrett, 0x00);
    state = (uint32_t)_mm_extract_epi32(_mm_xor_si128(sum, quotient), 1);
    return size ? by_tables(data, size, state) : state;
}
#endif

uint32_t crc32_of(const uint8_t *data, size_t size, uint32_t seed) {
#ifdef HAVE_FOLDING
    if (can_fold && size >= 64) return ~by_folding(data, size, ~seed);
#endif
    return ~by_tables(data, size, ~seed);
}
