// `Date` with the time as an argument, and without the time zone of the machine.
export default (function (host) {
  "use strict";
  return () => {
    const { apply, construct } = Reflect;
    const { Time } = host;
    const now = host.now();
    const time = Time.prototype;
    const zoned = /^[+-]?\d{4,6}-\d\d(-\d\d)?$|^[+-]?\d{4,6}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/;
    const test = RegExp.prototype.test;
    const moment = (at) => {
      if (typeof at === "string") return apply(test, zoned, [at]) ? Time.parse(at) : NaN;
      return at instanceof Time ? at.getTime() : at;
    };
    function Date(...parts) {
      if (!new.target) return new Time(now).toISOString();
      const at = parts.length === 0 ? now : parts.length === 1 ? moment(parts[0]) : Time.UTC(...parts);
      return construct(Time, [at], new.target);
    }
    Object.assign(Date, { now: () => now, UTC: Time.UTC, parse: moment });
    Date.prototype = time;
    time.constructor = Date;
    for (const part of ["Date", "Day", "FullYear", "Hours", "Milliseconds", "Minutes", "Month", "Seconds"]) {
      time[`get${part}`] = time[`getUTC${part}`];
      if (part !== "Day") time[`set${part}`] = time[`setUTC${part}`];
    }
    time.getTimezoneOffset = () => 0;
    for (const form of ["toString", "toLocaleString"]) time[form] = time.toISOString;
    for (const local of ["toDateString", "toTimeString", "toLocaleDateString", "toLocaleTimeString", "getYear", "setYear"]) {
      delete time[local];
    }
    return Date;
  };
});
