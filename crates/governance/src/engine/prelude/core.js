// What scripts find when they start: `ccf`, a console, and the built-in objects without whatever depends on the machine.
//
// The border to the host is narrow: texts, numbers, and bytes as hexadecimal text on the way in and as an ArrayBuffer on the
// way out. Rights and bounds are the host's; a script that bends what stands here only bends its own world. What most
// scripts never touch is compiled when it is first touched: compiling is most of what a short call costs.
export default (function (host, step) {
  "use strict";
  const { apply, defineProperty, getOwnPropertyDescriptor, getPrototypeOf } = Reflect;
  const { parse, stringify } = JSON;
  const Bytes = Uint8Array;
  const toHex = Bytes.prototype.toHex;
  const byteLength = getOwnPropertyDescriptor(ArrayBuffer.prototype, "byteLength").get;

  function hex(buffer) {
    try {
      apply(byteLength, buffer, []);
    } catch {
      throw new TypeError("Argument must be an ArrayBuffer");
    }
    return apply(toHex, new Bytes(buffer), []);
  }

  function text(value) {
    if (typeof value !== "string") throw new TypeError("Argument must be a string");
    return value;
  }

  function json(value) {
    const written = stringify(value);
    if (written === undefined) throw new TypeError("Argument cannot be written as JSON");
    return written;
  }

  function expect(args, count) {
    if (args.length !== count) throw new TypeError(`Passed ${args.length} arguments, but expected ${count}`);
  }

  // A property that is made when it is first looked at.
  function later(object, name, part) {
    const define = (value) => {
      defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
      return value;
    };
    const get = () => define(host.part(part)(tools));
    defineProperty(object, name, { get, set: define, enumerable: true, configurable: true });
  }

  class KvMap {
    #name;
    constructor(name) {
      this.#name = name;
    }
    has(key) {
      expect(arguments, 1);
      return host.has(this.#name, hex(key));
    }
    get(key) {
      expect(arguments, 1);
      return host.get(this.#name, hex(key));
    }
    getVersionOfPreviousWrite(key) {
      expect(arguments, 1);
      return host.version(this.#name, hex(key));
    }
    set(key, value) {
      expect(arguments, 2);
      host.set(this.#name, hex(key), hex(value));
      return this;
    }
    delete(key) {
      expect(arguments, 1);
      return host.delete(this.#name, hex(key));
    }
    clear() {
      host.clear(this.#name);
    }
    get size() {
      return host.size(this.#name);
    }
    forEach(each) {
      expect(arguments, 1);
      if (typeof each !== "function") throw new TypeError("Argument must be a function");
      const rows = host.open(this.#name);
      try {
        for (let page = host.page(rows); page.length > 0; page = host.page(rows)) {
          for (let i = 0; i < page.length; i += 2) each(page[i + 1], page[i], this);
        }
      } finally {
        host.close(rows);
      }
    }
  }

  const ccf = {
    kv: new Proxy({}, { get: (_, name) => (typeof name === "string" ? new KvMap(name) : undefined) }),
    strToBuf: (value) => host.bytes(text(value)),
    bufToStr: (buffer) => host.text(hex(buffer)),
    jsonCompatibleToBuf: (value) => host.bytes(json(value)),
    bufToJsonCompatible: (buffer) => parse(host.json(hex(buffer))),
    pemToId: (pem) => host.pemToId(text(pem)),
    enableUntrustedDateTime: () => true,
    enableMetricsLogging: () => false,
  };
  const tools = { ccf, hex, text, json, expect, parse };
  later(ccf, "crypto", "keys");
  later(ccf, "organisations", "organisations");
  for (const older of ["digest", "isValidX509CertBundle", "isValidX509CertChain"]) {
    ccf[older] = (...args) => ccf.crypto[older](...args);
  }
  if (step === "validate" || step === "apply") {
    ccf.gov = { validateConstitution: (script) => host.validateConstitution(text(script)) };
  }
  if (step === "apply") host.part("apply")(tools);
  globalThis.ccf = ccf;

  // The same script with the same arguments must come to the same result on any machine: time and chance are arguments.
  later(globalThis, "Date", "date");
  Math.random = () => host.random();

  globalThis.console = {};
  for (const level of ["debug", "log", "info", "warn", "error", "fail", "fatal", "trace"]) {
    console[level] = (...parts) => host.log(level, parts.map((part) => `${part}`).join(" "));
  }

  // No second way to compile (the script was looked through before it was compiled), no big numbers, no waiting.
  for (const kind of [() => {}, async () => {}, function* () {}, async function* () {}]) {
    delete getPrototypeOf(kind).constructor;
  }
  delete DataView.prototype.getBigInt64;
  delete DataView.prototype.getBigUint64;
  for (const name of ["eval", "Function", "BigInt", "BigInt64Array", "BigUint64Array", "SharedArrayBuffer", "Atomics"]) {
    delete globalThis[name];
  }
});
