// Records: the rows of a data file before anyone has said what they mean. Plain objects, read on demand by number.

export type RecordFileKind = "jsonl" | "json" | "csv" | "parquet" | "folder";

export interface DataRecord {
  /** Number of the record in its source, from 0. */
  index: number;
  /** Where it stands, for messages: "rows.jsonl, line 12". */
  place: string;
  /** Own properties only; values unchecked. */
  value: Record<string, unknown>;
}

export interface RecordSource {
  /** File or folder, as it was given. */
  path: string;
  kind: RecordFileKind;
  count: number;
  /** Only the beginning was opened: more records follow than `count`. */
  isCut: boolean;
  /** Column names where the file itself has them (CSV, Parquet), else null. */
  columns: readonly string[] | null;
  record(index: number): Promise<DataRecord>;
  /** All records from `first` on, in order, read as a stream. */
  records(first?: number): AsyncIterable<DataRecord>;
  close(): Promise<void>;
}
