// The import statements of a TypeScript or Svelte source, read with the TypeScript parser.
// In: a file's text. Out: each specifier with whether it disappears when types are stripped.

import { dirname, join, relative, sep } from "node:path";
import ts from "typescript";

export interface ImportStatement {
  specifier: string;
  /** Nothing of it is left at run time. */
  isTypeOnly: boolean;
}

/** Every static import, re-export, dynamic import and `import("…")` type of the file. */
export function readImports(path: string, text: string): ImportStatement[] {
  const source = ts.createSourceFile(path, scriptOf(path, text), ts.ScriptTarget.Latest, true, ts.ScriptKind.TS);
  const found: ImportStatement[] = [];
  const visit = (node: ts.Node): void => {
    const statement = importOf(node);
    if (statement !== null) found.push(statement);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

/** Path from the repository root with forward slashes for a relative import, or the package name. */
export function importTarget(root: string, file: string, specifier: string): string {
  if (specifier.startsWith(".")) return relative(root, join(dirname(file), specifier)).split(sep).join("/");
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? specifier);
}

function importOf(node: ts.Node): ImportStatement | null {
  if (ts.isImportDeclaration(node)) return named(node.moduleSpecifier, isTypeOnlyClause(node.importClause));
  if (ts.isExportDeclaration(node)) return named(node.moduleSpecifier, node.isTypeOnly);
  if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) return named(node.argument.literal, true);
  if (ts.isCallExpression(node) && isLoader(node.expression)) return named(node.arguments[0], false);
  return null;
}

function isLoader(callee: ts.Expression): boolean {
  return callee.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(callee) && callee.text === "require");
}

function isTypeOnlyClause(clause: ts.ImportClause | undefined): boolean {
  if (clause === undefined) return false; // import "./for-its-effect.ts"
  if (clause.isTypeOnly) return true;
  const bindings = clause.namedBindings;
  if (clause.name !== undefined || bindings === undefined || !ts.isNamedImports(bindings)) return false;
  return bindings.elements.length > 0 && bindings.elements.every((element) => element.isTypeOnly);
}

function named(specifier: ts.Node | undefined, isTypeOnly: boolean): ImportStatement | null {
  return specifier !== undefined && ts.isStringLiteralLike(specifier) ? { specifier: specifier.text, isTypeOnly } : null;
}

function scriptOf(path: string, text: string): string {
  if (!path.endsWith(".svelte")) return text;
  return [...text.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map((match) => match[1]).join("\n");
}
