// Random requests and responses that are the same ones each time: a failure names its seed and number.

/** A generator (mulberry32) of numbers from 0 to below 1. */
export function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class Random {
  constructor(seed) {
    this.next = generator(seed);
  }

  below(limit) {
    return Math.floor(this.next() * limit);
  }

  chance(probability) {
    return this.next() < probability;
  }

  pick(list) {
    return list[this.below(list.length)];
  }

  /** Bytes as a latin1 string: mostly printable, sometimes anything. */
  bytes(length) {
    const anything = this.chance(0.2);
    let text = "";
    for (let index = 0; index < length; index++) {
      text += String.fromCharCode(anything ? this.below(256) : 0x20 + this.below(0x5f));
    }
    return text;
  }

  /** A length that is mostly short, sometimes long. */
  length(longest) {
    return this.chance(0.9) ? this.below(40) : this.below(longest);
  }

  /** Several of a list's members, in any order, with repetitions. */
  several(list, most) {
    return Array.from({ length: this.below(most + 1) }, () => this.pick(list));
  }

  /** A text with one or a few characters changed, lost, doubled or cut off. */
  damaged(text) {
    let damaged = text;
    for (let times = 1 + this.below(3); times > 0; times--) {
      const at = this.below(damaged.length + 1);
      const rest = damaged.slice(at);
      const change = this.below(4);
      if (change === 0) damaged = damaged.slice(0, at) + this.bytes(1) + rest.slice(1);
      else if (change === 1) damaged = damaged.slice(0, at) + rest.slice(1);
      else if (change === 2) damaged = damaged.slice(0, at) + rest.slice(0, 1) + rest;
      else damaged = damaged.slice(0, at);
    }
    return damaged;
  }
}
