import { stripTypeScriptTypes } from 'node:module'
import { parse, type AnyNode } from 'acorn'

/** One small fault that could be in a source: what is written there instead, and what kind of fault that is. */
export interface Mutant {
  /** Path from the root of the tree. */
  readonly file: string
  readonly start: number
  readonly end: number
  readonly replacement: string
  readonly kind: string
}

/** Every mutant of this source, in the order of their places. Types are left alone: they do nothing at run time. */
export function mutantsOf(file: string, source: string): readonly Mutant[] {
  // Types become blanks, so that every place is where it was.
  const plain = stripTypeScriptTypes(source, { mode: 'strip' })
  const tree = parse(plain, { ecmaVersion: 'latest', sourceType: 'module' })
  const found = new Map<string, Mutant>()
  const add = (kind: string, { start, end }: Span, replacement: string): void => {
    if (plain.slice(start, end) !== replacement)
      found.set(`${start}-${end}-${replacement}`, { file, start, end, replacement, kind })
  }
  walk(tree, (node) => mutate(node, plain, add))
  return [...found.values()].sort((a, b) => a.start - b.start || a.end - b.end)
}

interface Span {
  readonly start: number
  readonly end: number
}

type Add = (kind: string, span: Span, replacement: string) => void

/** Neighbours of each operator: what a slip of the finger, or of the mind, would have made of it. */
const operators: Readonly<Record<string, string>> = {
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '===': '!==',
  '!==': '===',
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
  '%': '*',
  '&': '|',
  '|': '&',
  '<<': '>>',
  '>>': '<<',
  '&&': '||',
  '||': '&&',
  '??': '&&',
}

/** Methods that give back something of the kind they are called on, and could have been forgotten. */
const unwrapped =
  /^(?:slice|subarray|trim|toLowerCase|toUpperCase|replace|replaceAll|filter|sort|toSorted|toReversed|toWellFormed)$/

function mutate(node: AnyNode, text: string, add: Add): void {
  switch (node.type) {
    case 'BinaryExpression':
    case 'LogicalExpression': {
      const other = operators[node.operator]
      if (other !== undefined && !isText(node.left) && !isText(node.right)) {
        const between = text.slice(node.left.end, node.right.start)
        const start = node.left.end + between.indexOf(node.operator)
        add(`${node.operator} for ${other}`, { start, end: start + node.operator.length }, other)
      }
      return
    }
    case 'UnaryExpression':
      if (node.operator === '!') add('negation left out', node, text.slice(node.argument.start, node.argument.end))
      return
    case 'IfStatement':
    case 'ConditionalExpression':
      for (const always of ['true', 'false']) add(`condition always ${always}`, node.test, always)
      return
    case 'Literal':
      return mutateLiteral(node, text, add)
    case 'TemplateElement':
      return weaken(node, text, add)
    case 'ExpressionStatement':
      if (!('directive' in node && node.directive)) add('statement left out', node, ';')
      return
    case 'ThrowStatement':
      return add('throw left out', node, ';')
    case 'ReturnStatement':
      if (node.argument) add('nothing returned', node, 'return;')
      return
    case 'FunctionDeclaration':
    case 'FunctionExpression':
      if (node.body.body.length > 0) add('body left out', node.body, '{}')
      return
    case 'CallExpression':
    case 'NewExpression': {
      const last = node.arguments.at(-1)
      const before = node.arguments.at(-2)
      if (last && before) add('last argument left out', { start: before.end, end: last.end }, '')
      if (node.callee.type === 'MemberExpression' && node.callee.property.type === 'Identifier')
        if (unwrapped.test(node.callee.property.name)) {
          const { object } = node.callee
          add(`${node.callee.property.name} left out`, node, text.slice(object.start, object.end))
        }
    }
  }
}

function mutateLiteral(node: AnyNode & { type: 'Literal' }, text: string, add: Add): void {
  if ('regex' in node && node.regex) return add('pattern that takes everything', node, '/(?:)/')
  if (typeof node.value === 'boolean') return add('boolean', node, String(!node.value))
  if (typeof node.value === 'string') {
    // Sentences are for people; what has no blank is a word of some protocol.
    if (node.value === '') add('text', node, "'mutated'")
    else if (!node.value.includes(' ')) add('text', node, "''")
    weaken(node, text, add)
  }
  if (typeof node.value === 'number' && text.startsWith('0o', node.start)) add('file mode', node, '0o777')
}

/** A database that does not wait for its disk. */
function weaken({ start, end }: Span, text: string, add: Add): void {
  const at = text.slice(start, end).search(/(?<=synchronous = )full/i)
  if (at >= 0) add('synchronous off', { start: start + at, end: start + at + 'full'.length }, 'off')
}

/** True if the operand shows that `+` joins texts. */
function isText(node: AnyNode): boolean {
  return node.type === 'TemplateLiteral' || (node.type === 'Literal' && typeof node.value === 'string')
}

/** Visits what can be mutated: names of modules and of members are no values. */
function walk(node: AnyNode, visit: (node: AnyNode) => void): void {
  if (node.type === 'ImportDeclaration' || node.type === 'ExportAllDeclaration') return
  visit(node)
  for (const [member, value] of Object.entries(node) as [string, unknown][]) {
    if (member === 'key' && !('computed' in node && node.computed)) continue
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) walk(child, visit)
  }
}

function isNode(value: unknown): value is AnyNode {
  return typeof value === 'object' && value !== null && 'type' in value && typeof value.type === 'string'
}
