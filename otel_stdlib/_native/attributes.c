/* The body and the attributes of a line as protobuf's AnyValue and KeyValue: opentelemetry/proto/common/v1/common.proto.
   otel_stdlib/handlers/otlp/pairs.py and forms.py specify them. */
#include "protobuf.h"

/* Several keys that are the same are looked for among so many. */
#define MOST_KEYS 64

static uint8_t *put_part(uint8_t *to, Text text) {
    memcpy(to, text.at, size_of(text));
    return to + size_of(text);
}

/* An AnyValue with a text in the field with this tag; NULL where the text is not ordinary. */
uint8_t *put_text_value(uint8_t *to, uint8_t tag, Text text) {
    long long saved = saved_by_escapes(text);
    if (saved < 0 || !is_text(text)) return NULL;
    size_t size = size_of(text) - (size_t)saved;
    *to++ = tag;
    to = put_varint(to, 1 + varint_size(size) + size);
    *to++ = FIELD(1, BYTES);
    to = put_varint(to, size);
    return saved ? put_unescaped(to, text) : put_part(to, text);
}

static uint8_t *put_value(uint8_t *to, Text *rest) {
    const uint8_t tag = FIELD(2, BYTES);
    Text text;
    Number found;
    if (SKIP(rest, "\"")) return escaped_text(rest, &text) ? put_text_value(to, tag, text) : NULL;
    *to++ = tag;
    if (SKIP(rest, "null")) {
        *to++ = 0;
        return to;
    }
    int is_true = SKIP(rest, "true");
    if (is_true || SKIP(rest, "false")) {
        *to++ = 2;
        *to++ = FIELD(2, VARINT);
        *to++ = (uint8_t)is_true;
        return to;
    }
    if (!number(rest, &found)) return NULL;
    if (found.kind == WHOLE_NUMBER) {
        *to++ = (uint8_t)(1 + varint_size((uint64_t)found.whole));
        *to++ = FIELD(3, VARINT);
        return put_varint(to, (uint64_t)found.whole);
    }
    uint64_t bits;
    memcpy(&bits, &found.fraction, sizeof bits);
    *to++ = 9;
    *to++ = FIELD(4, FIXED64);
    return put_u64(to, bits);
}

/* Names that a place, or the package itself, may have too. */
static int is_taken(Text key) { return SKIP(&key, "code.") || SKIP(&key, "thread.") || SKIP(&key, "log."); }

uint8_t *put_attributes(uint8_t *to, Text rest) {
    Text keys[MOST_KEYS];
    for (int count = 0; rest.at < rest.end; count++) {
        Text key;
        if (count == MOST_KEYS || !SKIP(&rest, "\"") || !plain_text(&rest, &key) || !SKIP(&rest, ":")) return NULL;
        if (size_of(key) == 0 || !is_text(key) || is_taken(key)) return NULL;
        for (int i = 0; i < count; i++)
            if (size_of(keys[i]) == size_of(key) && memcmp(keys[i].at, key.at, size_of(key)) == 0) return NULL;
        keys[count] = key;
        *to++ = FIELD(6, BYTES);
        uint8_t *start = to;
        to += VARINT_ROOM;
        *to++ = FIELD(1, BYTES);
        to = put_part(put_varint(to, size_of(key)), key);
        if ((to = put_value(to, &rest)) == NULL || !SKIP(&rest, ",")) return NULL;
        to = close_field(start, to);
    }
    return to;
}
