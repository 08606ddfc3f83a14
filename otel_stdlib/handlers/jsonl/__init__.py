from otel_stdlib.handlers.jsonl.block import Block
from otel_stdlib.handlers.jsonl.destination import JSONLDestination, Render
from otel_stdlib.handlers.jsonl.file import BlockFile
from otel_stdlib.handlers.jsonl.lock import abandon_all
from otel_stdlib.handlers.jsonl.options import JSONLOptions

__all__ = ["Block", "BlockFile", "JSONLDestination", "JSONLOptions", "Render", "abandon_all"]
