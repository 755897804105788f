import type { Debugger, Runtime } from 'node:inspector';
import type { Inspector } from './inspector.js';
import { DebugError, type Variable } from './protocol.js';
import { describe, groupsOf, lengthOf, memberExpression } from './values.js';

/** What a `variablesReference` stands for. */
export type Holder =
  /** Scopes that are shown as one; an inner one hides names of an outer one. */
  | {
      kind: 'scopes';
      scopes: Debugger.Scope[];
      self?: Runtime.RemoteObject;
      /** What a function that is about to return returns. */
      returnValue?: Runtime.RemoteObject;
    }
  /** What cells have declared. */
  | { kind: 'globals' }
  | { kind: 'object'; object: Runtime.RemoteObject; expression?: string }
  | { kind: 'range'; object: Runtime.RemoteObject; start: number; end: number; expression?: string }
  /** A property that is computed only when it is asked for. */
  | { kind: 'getter'; owner: string; name: string };

/** All objects that the inspector keeps for a client, to be released together. */
export const OBJECT_GROUP = 'debugger';

/** References to values, and what they hold. They live until the program goes on. */
export class Variables {
  readonly #inspector: Inspector;
  readonly #holders = new Map<number, Holder>();
  #count = 0;

  constructor(inspector: Inspector) {
    this.#inspector = inspector;
  }

  /** A reference for a client. */
  hold(holder: Holder): number {
    this.#holders.set(++this.#count, holder);
    return this.#count;
  }

  /** Forgets everything: what a client still asks for is refused. */
  clear(): void {
    if (this.#holders.size === 0) return;
    this.#holders.clear();
    // not awaited: the main thread may be busy
    this.#inspector.send('Runtime.releaseObjectGroup', { objectGroup: OBJECT_GROUP }).catch(() => {});
  }

  /** The variables that a reference holds. */
  list(reference: number): Promise<Variable[]> {
    const holder = this.#holders.get(reference);
    if (holder === undefined) {
      throw new DebugError(`variablesReference ${reference} is not valid any more: the program has gone on`);
    }
    switch (holder.kind) {
      case 'scopes':
        return this.#scopes(holder);
      case 'globals':
        return this.globals();
      case 'object':
        return this.#object(holder.object, holder.expression);
      case 'range':
        return this.#range(holder);
      case 'getter':
        return this.#getter(holder.owner, holder.name);
    }
  }

  /** A value as a variable. */
  variable(name: string, object: Runtime.RemoteObject, evaluateName?: string): Variable {
    const reference =
      object.objectId !== undefined && object.type !== 'symbol'
        ? this.hold({ kind: 'object', object, expression: evaluateName })
        : 0;
    const variable = { name, ...describe(object), variablesReference: reference };
    return evaluateName === undefined ? variable : { ...variable, evaluateName };
  }

  /** What cells have declared and given a value. */
  async globals(): Promise<Variable[]> {
    const { names } = await this.#inspector.send<Runtime.GlobalLexicalScopeNamesReturnType>(
      'Runtime.globalLexicalScopeNames',
    );
    const getters = names.map((name) => `[${JSON.stringify(name)},()=>${name}]`);
    // one that a cell is about to declare has no value yet
    const expression = `[${getters}].reduce((all,[n,f])=>{try{all[n]=f()}catch{}return all},{__proto__:null})`;
    const { result } = await this.#inspector.send<Runtime.EvaluateReturnType>('Runtime.evaluate', {
      expression,
      objectGroup: OBJECT_GROUP,
      silent: true,
    });
    const { result: properties } = await this.#properties(result.objectId!);
    return properties.map(({ name, value }) => this.variable(name, value!, name));
  }

  async #scopes({ scopes, self, returnValue }: Holder & { kind: 'scopes' }): Promise<Variable[]> {
    const found = new Map<string, Variable>();
    if (returnValue) {
      found.set('(return)', this.variable('(return value)', await this.#withPreview(returnValue)));
    }
    if (self) found.set('this', this.variable('this', await this.#withPreview(self), 'this'));
    for (const { object } of scopes) {
      const { result } = await this.#properties(object.objectId!);
      for (const { name, value } of result) {
        if (value && !found.has(name)) found.set(name, this.variable(name, value, name));
      }
    }
    return [...found.values()];
  }

  /** A value of a frame, which the inspector describes in less detail. */
  async #withPreview(object: Runtime.RemoteObject): Promise<Runtime.RemoteObject> {
    if (object.type !== 'object' || object.objectId === undefined) return object;
    return this.#call(object.objectId, 'function () { return this; }');
  }

  async #object(object: Runtime.RemoteObject, expression?: string): Promise<Variable[]> {
    const length = lengthOf(object) ?? 0;
    const groups = groupsOf(0, length).map(([start, end]) => this.#group({ object, expression }, start, end));
    if (groups.length > 0) return groups;
    const {
      result,
      internalProperties = [],
      privateProperties = [],
    } = await this.#properties(object.objectId!);
    const own = result.map((property) => this.#property(property, object.objectId!, expression));
    const hidden = privateProperties.map((property) => this.#property(property, object.objectId!, undefined));
    const inner = internalProperties
      .filter(({ name, value }) => value && !/^\[\[(Scopes|FunctionLocation|Prototype)\]\]$/.test(name))
      .map(({ name, value }) => this.variable(name, value!));
    return [...own, ...hidden, ...inner];
  }

  #property(property: Runtime.PropertyDescriptor, owner: string, expression: string | undefined): Variable {
    const { name, value, get } = property;
    const evaluateName = property.symbol ? undefined : memberExpression(expression, name);
    if (value !== undefined) return this.variable(name, value, evaluateName);
    if (get?.type !== 'function') return { name, value: '(setter)', type: 'setter', variablesReference: 0 };
    const variablesReference = this.hold({ kind: 'getter', owner, name });
    return { name, value: '(getter)', type: 'getter', variablesReference, presentationHint: { lazy: true } };
  }

  #group(
    { object, expression }: { object: Runtime.RemoteObject; expression?: string },
    start: number,
    end: number,
  ): Variable {
    const variablesReference = this.hold({ kind: 'range', object, start, end, expression });
    return {
      name: `[${start} … ${end - 1}]`,
      value: '',
      type: `${end - start} elements`,
      variablesReference,
    };
  }

  async #range({ object, start, end, expression }: Holder & { kind: 'range' }): Promise<Variable[]> {
    const groups = groupsOf(start, end);
    if (groups.length > 0) return groups.map(([from, to]) => this.#group({ object, expression }, from, to));
    const part = await this.#call(
      object.objectId!,
      'function (start, end) { const part = {__proto__: null}; for (let i = start; i < end; i++) if (i in this) part[i] = this[i]; return part; }',
      start,
      end,
    );
    const { result } = await this.#properties(part.objectId!);
    return result.map(({ name, value }) => this.variable(name, value!, memberExpression(expression, name)));
  }

  async #getter(owner: string, name: string): Promise<Variable[]> {
    const value = await this.#call(owner, 'function (name) { return this[name]; }', name);
    return [this.variable(name, value)];
  }

  async #call(
    objectId: string,
    functionDeclaration: string,
    ...args: unknown[]
  ): Promise<Runtime.RemoteObject> {
    const { result, exceptionDetails } = await this.#inspector.send<Runtime.CallFunctionOnReturnType>(
      'Runtime.callFunctionOn',
      {
        objectId,
        functionDeclaration,
        arguments: args.map((value) => ({ value })),
        objectGroup: OBJECT_GROUP,
        generatePreview: true,
        silent: true,
      },
    );
    if (exceptionDetails) throw new DebugError(result.description ?? exceptionDetails.text);
    return result;
  }

  #properties(
    objectId: string,
  ): Promise<Runtime.GetPropertiesReturnType & { privateProperties?: Runtime.PropertyDescriptor[] }> {
    return this.#inspector.send('Runtime.getProperties', {
      objectId,
      ownProperties: true,
      generatePreview: true,
    });
  }
}
