// Finds where records begin and end in the bytes of a text file, without understanding them.
// In: chunks of bytes in order. Out: one call of `found` a record, with absolute byte range and line number. A scanner
// started at the beginning of a record needs nothing from before it: that is what makes a sparse index possible.

export interface RecordRange {
  startByte: number;
  /** One past the last byte. */
  endByte: number;
  /** Line of the first byte, from 1. */
  line: number;
}

export interface Scanner {
  /** Returns false when `found` asked to stop. */
  feed(chunk: Uint8Array): boolean;
  /** The file has ended. */
  end(): void;
  /** Where the record being read began: guards against records without end. */
  openSince(): number;
}

export interface ScanStart {
  byte: number;
  line: number;
}

/** Is told of each record; returns false to stop. */
export type Found = (range: RecordRange) => boolean;

export type MakeScanner = (start: ScanStart, found: Found) => Scanner;

const newline = 10;
const isBlank = (byte: number) => byte === 32 || byte === 9 || byte === 13 || byte === 10;

/** Lines that hold more than blanks. */
export const scanLines: MakeScanner = (start, found) => {
  let at = start.byte;
  let line = start.line;
  let lineStart = start.byte;
  let lineHasText = false;

  const close = (endByte: number): boolean => !lineHasText || found({ startByte: lineStart, endByte, line });

  return {
    feed(chunk) {
      let from = 0;
      while (from < chunk.length) {
        let end = chunk.indexOf(newline, from);
        const isWhole = end >= 0;
        if (!isWhole) end = chunk.length;
        for (let i = from; !lineHasText && i < end; i++) lineHasText = !isBlank(chunk[i]!);
        if (isWhole) {
          if (!close(at + end)) return false;
          line += 1;
          lineStart = at + end + 1;
          lineHasText = false;
        }
        from = end + 1;
      }
      at += chunk.length;
      return true;
    },
    end() {
      close(at);
    },
    openSince: () => lineStart,
  };
};

const quote = 34;

/** CSV records: lines, but a line break inside quotes belongs to the record. */
export const scanCsv: MakeScanner = (start, found) => {
  let at = start.byte;
  let line = start.line;
  let recordStart = start.byte;
  let recordLine = start.line;
  let hasText = false;
  let isQuoted = false;

  return {
    feed(chunk) {
      for (let i = 0; i < chunk.length; i++) {
        const byte = chunk[i]!;
        if (byte === quote) isQuoted = !isQuoted; // a doubled quote closes and opens again
        if (!hasText && !isBlank(byte)) hasText = true;
        if (byte !== newline) continue;
        line += 1;
        if (isQuoted) continue;
        if (hasText && !found({ startByte: recordStart, endByte: at + i, line: recordLine })) return false;
        recordStart = at + i + 1;
        recordLine = line;
        hasText = false;
      }
      at += chunk.length;
      return true;
    },
    end() {
      if (hasText) found({ startByte: recordStart, endByte: at, line: recordLine });
    },
    openSince: () => recordStart,
  };
};

const [backslash, comma, openList, closeList, openObject, closeObject] = [92, 44, 91, 93, 123, 125];

/**
 * Items of a JSON list, from just after its "[" (or after an item's start). The item's own syntax is left to
 * JSON.parse: only strings and brackets are followed, so a broken item spoils itself and what follows, not the scan.
 */
export const scanJsonItems: MakeScanner = (start, found) => {
  let at = start.byte;
  let line = start.line;
  let itemStart = start.byte;
  let itemLine = start.line;
  let hasText = false;
  let isString = false;
  let isEscaped = false;
  let depth = 0;
  let isClosed = false;

  return {
    feed(chunk) {
      for (let i = 0; i < chunk.length && !isClosed; i++) {
        const byte = chunk[i]!;
        if (byte === newline) line += 1;
        if (isString) {
          if (isEscaped) isEscaped = false;
          else if (byte === backslash) isEscaped = true;
          else if (byte === quote) isString = false;
          continue;
        }
        const endsItem = depth === 0 && (byte === comma || byte === closeList);
        if (endsItem) {
          if (hasText && !found({ startByte: itemStart, endByte: at + i, line: itemLine })) return false;
          isClosed = byte === closeList;
          itemStart = at + i + 1;
          hasText = false;
          continue;
        }
        if (!hasText && !isBlank(byte)) {
          hasText = true;
          itemStart = at + i;
          itemLine = line;
        }
        if (byte === quote) isString = true;
        else if (byte === openObject || byte === openList) depth += 1;
        else if (byte === closeObject || byte === closeList) depth -= 1;
      }
      at += chunk.length;
      return true;
    },
    end() {
      if (hasText && !isClosed) found({ startByte: itemStart, endByte: at, line: itemLine });
    },
    openSince: () => (isClosed ? at : itemStart),
  };
};
