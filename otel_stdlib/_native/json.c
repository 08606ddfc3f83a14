/* See json.h. */
#include "json.h"

#include <math.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static int is_plain(unsigned char byte) { return byte >= 0x20 && byte != '"' && byte != '\\'; }

/* How many of the first bytes need no escape: a multiple of 16, found 16 at a time. */
static size_t plain_run(const char *text, size_t size) {
    size_t run = 0;
#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), last_control = _mm_set1_epi8(0x1F);
    for (; size - run >= 16; run += 16) {
        __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)(text + run));
        __m128i control = _mm_cmpeq_epi8(_mm_min_epu8(bytes, last_control), bytes);
        __m128i special = _mm_or_si128(_mm_cmpeq_epi8(bytes, quote), _mm_cmpeq_epi8(bytes, slash));
        if (_mm_movemask_epi8(_mm_or_si128(control, special))) break;
    }
#else
    (void)text;
    (void)size;
#endif
    return run;
}

static char *escaped(char *to, unsigned char byte) {
    static const char names[] = {['"'] = '"', ['\\'] = '\\', ['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f', ['\r'] = 'r'};
    *to++ = '\\';
    if (byte < sizeof names && names[byte]) {
        *to++ = names[byte];
        return to;
    }
    memcpy(to, "u00", 3);
    to[3] = "01"[byte >> 4];
    to[4] = "0123456789abcdef"[byte & 15];
    return to + 5;
}

char *json_text(char *to, const char *text, size_t size) {
    *to++ = '"';
    while (size) {
        size_t run = plain_run(text, size);
        while (run < size && is_plain((unsigned char)text[run])) run++;
        memcpy(to, text, run);
        to += run, text += run, size -= run;
        if (size) to = escaped(to, (unsigned char)*text++), size--;
    }
    *to++ = '"';
    return to;
}

char *json_integer(char *to, long long value) {
    char digits[20];
    int count = 0;
    unsigned long long rest = value < 0 ? 0ULL - (unsigned long long)value : (unsigned long long)value;
    do digits[count++] = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0) *to++ = '-';
    while (count) *to++ = digits[--count];
    return to;
}

static char *put_digits(char *to, const char *text, size_t size) {
    memcpy(to, text, size);
    return to + size;
}

/* A number below 0.0001 from Python's form: 1.5e-05 is 0.000015, and 1.5e-07 is 1.5e-7. */
static char *put_small(char *to, const char *text, const char *exponent) {
    if (strcmp(exponent, "e-05") != 0) {
        const char *digits = exponent + 2 + (exponent[2] == '0');
        to = put_digits(to, text, (size_t)(exponent - text));
        to = put_digits(to, "e-", 2);
        return put_digits(to, digits, strlen(digits));
    }
    if (*text == '-') *to++ = *text++;
    to = put_digits(to, "0.0000", 6);
    for (; text < exponent; text++)
        if (*text != '.') *to++ = *text;
    return to;
}

char *json_float(char *to, double value) {
    double size = fabs(value);
    if (!(size < JSON_FLOAT_END)) return NULL;
    /* Prices and durations: at most two decimals. Where hundredths divided by 100 give the same number, those are its
       shortest digits, as no two decimals of up to 15 digits are the same double. */
    double hundredths = nearbyint(size * 100);
    if (size < 1e9 && hundredths / 100 == size) {
        long long whole = (long long)hundredths;
        if (signbit(value)) *to++ = '-';
        to = json_integer(to, whole / 100);
        *to++ = '.';
        *to++ = (char)('0' + whole % 100 / 10);
        if (whole % 10) *to++ = (char)('0' + whole % 10);
        return to;
    }
    char *text = PyOS_double_to_string(value, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
    if (text == NULL) return NULL;
    char *exponent = strchr(text, 'e');
    to = exponent == NULL ? put_digits(to, text, strlen(text)) : put_small(to, text, exponent);
    PyMem_Free(text);
    return to;
}
