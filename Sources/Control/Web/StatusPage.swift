/// The page for people: services, servers and their health, with the last two minutes of their rates. Nothing is loaded from
/// elsewhere, and nothing that the director says is ever taken for HTML.
enum StatusPage {
  /// What a browser may do with it.
  static let policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"

  static let html = """
    <!DOCTYPE html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>lbd</title>
    <link rel="stylesheet" href="status.css">
    <script src="status.js" defer></script>
    </head>
    <body>
    <header><h1>lbd</h1><p id="summary">asking</p></header>
    <main id="services"></main>
    <section><h2>Frames</h2><table id="outcomes"></table></section>
    <noscript><p>This page needs JavaScript. The same for programs: <a href="api/v1/status">JSON</a>,
    <a href="metrics">metrics</a>.</p></noscript>
    </body>
    </html>

    """

  static let style = """
    :root { color-scheme: light dark; --line: #8884; --good: #2a9d5c; --bad: #d1495b; --calm: #888; }
    body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 0 auto; padding: 1rem; }
    header { display: flex; gap: 1.5rem; align-items: baseline; border-bottom: 1px solid var(--line); }
    h1 { margin: 0; } h2 { font-size: 1rem; margin: 1.5rem 0 0.3rem; }
    table { border-collapse: collapse; width: 100%; table-layout: fixed; font-variant-numeric: tabular-nums; }
    th, td { text-align: left; padding: 0.15rem 0.6rem 0.15rem 0; border-bottom: 1px solid var(--line); }
    th { font-weight: normal; color: var(--calm); } th:nth-child(1) { width: 20%; } th:nth-child(2) { width: 25%; }
    th:nth-child(8) { width: 15%; }
    th:nth-child(n+3) { text-align: right; } td:nth-child(8) { text-align: right; } .number { text-align: right; }
    .up { color: var(--good); } .down { color: var(--bad); } .unknown { color: var(--calm); }
    svg { width: 100%; height: 1.4rem; vertical-align: middle; } polyline { fill: none; stroke: currentColor; }
    #summary.lost { color: var(--bad); }

    """

  static let script = """
    "use strict";
    // Two minutes, a look every second: what each rate has been, by the name of its row.
    const past = new Map();
    const looks = 120;

    function element(name, text, style) {
      const made = document.createElement(name);
      if (text !== undefined) made.textContent = text;
      if (style) made.className = style;
      return made;
    }

    function row(cells) {
      const line = element("tr");
      for (const cell of cells) line.append(cell);
      return line;
    }

    function number(value) { return element("td", Number(value).toLocaleString("en"), "number"); }

    function graph(key, value) {
      const values = past.get(key) || [];
      values.push(Number(value) || 0);
      if (values.length > looks) values.shift();
      past.set(key, values);
      const space = "http://www.w3.org/2000/svg";
      const picture = document.createElementNS(space, "svg");
      picture.setAttribute("viewBox", `0 0 ${looks} 20`);
      picture.setAttribute("preserveAspectRatio", "none");
      const line = document.createElementNS(space, "polyline");
      const top = Math.max(1, ...values);
      const start = looks - values.length;
      line.setAttribute("points", values.map((v, i) => `${start + i},${19 - 18 * v / top}`).join(" "));
      picture.append(line);
      const cell = element("td");
      cell.append(picture);
      return cell;
    }

    function address(one) {
      if (one.fwmark !== undefined) return `FWM ${one.fwmark}`;
      const host = one.address.includes(":") ? `[${one.address}]` : one.address;
      return `${host}:${one.port}`;
    }

    // Health is told by virtual server, the listing by service.
    function unitOf(health, service) {
      const name = service.fwmark !== undefined
        ? `FWM ${service.fwmark}` : `${service.protocol.toUpperCase()} ${address(service)}`;
      return health.find(one => one.services.includes(name)) || { servers: [] };
    }

    function span(seconds) {
      if (seconds < 60) return `${seconds} s`;
      if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
      return seconds < 86400 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86400)} d`;
    }

    function state(one) {
      if (!one) return element("td", "unchecked", "unknown");
      const since = one.seconds === undefined ? "" : ` for ${span(one.seconds)}`;
      const words = one.up ? `up${since}` : `down${since}: ${one.last_error || "as configured"}`;
      return element("td", words, one.up ? "up" : "down");
    }

    function show(status) {
      const listing = status.listing;
      const health = listing.health || [];
      const parts = [];
      for (const service of listing.services) {
        const name = `${service.protocol || ""} ${address(service)}`.trim();
        const unit = unitOf(health, service);
        const sorry = unit.sorry ? ": the sorry server serves" : "";
        parts.push(element("h2", `${name}, ${service.scheduler}${sorry}`));
        const table = element("table");
        const head = element("tr");
        for (const title of ["server", "state", "weight", "active", "inactive", "conns/s", "packets/s", "2 minutes"])
          head.append(element("th", title));
        table.append(head);
        for (const server of service.servers) {
          const rates = server.rates || {};
          table.append(row([
            element("td", `${address(server)} ${server.forward}`),
            state(unit.servers.find(one => address(one) === address(server))),
            number(server.weight), number(server.active_conns), number(server.inactive_conns),
            number(rates.cps || 0), number(rates.inpps || 0), graph(`${name} ${address(server)}`, rates.inpps),
          ]));
        }
        // Those that are out of service have left the listing.
        for (const server of unit.servers) {
          if (service.servers.some(one => address(one) === address(server))) continue;
          const words = state(server);
          words.colSpan = 7;
          table.append(row([element("td", address(server)), words]));
        }
        parts.push(table);
      }
      document.getElementById("services").replaceChildren(...parts);
      const outcomes = Object.entries(status.outcomes).map(([name, count]) =>
        row([element("td", name), number(count)]));
      document.getElementById("outcomes").replaceChildren(...outcomes);
      const summary = document.getElementById("summary");
      summary.className = "";
      summary.textContent = `${listing.services.length} services, ${status.table.entries} entries, `
        + `${Math.round(status.table.fill * 100)} % of the table`;
    }

    async function look() {
      try {
        const answer = await fetch("api/v1/status");
        if (!answer.ok) throw new Error(await answer.text());
        show(await answer.json());
      } catch (problem) {
        const summary = document.getElementById("summary");
        summary.className = "lost";
        summary.textContent = `no answer: ${problem.message}`;
      }
      setTimeout(look, 1000);
    }
    look();

    """
}
