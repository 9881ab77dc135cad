// Made by embed.ts out of grid.ts, palette.ts, heat-map.ts, cell-tip.ts, explorer.ts: change those, then `npx tsx src/patching/report/embed.ts`.
export const pageScript =
  "\"use strict\";(() => {\n" +
  "const columns = [\"p_patched\", \"p_diff\", \"logit_diff\", \"effect\"];\n" +
  "const views = [\"tokens\", \"patches\", \"heads\", \"last\"];\n" +
  "const viewText = {\n" +
  "    tokens: { x: \"Layer\", y: \"Token\", where: \"\", title: \"Tokens\", file: \"heatmap\", missing: \"tokens were\" },\n" +
  "    patches: {\n" +
  "        x: \"Column\",\n" +
  "        y: \"Row\",\n" +
  "        where: \", mean over layers\",\n" +
  "        title: \"Patches of the picture, mean over layers\",\n" +
  "        file: \"patches\",\n" +
  "        missing: \"patches of the picture were\",\n" +
  "    },\n" +
  "    heads: {\n" +
  "        x: \"Head\",\n" +
  "        y: \"Layer\",\n" +
  "        where: \", at the correct answer\",\n" +
  "        title: \"Heads, at the correct answer’s token\",\n" +
  "        file: \"heads\",\n" +
  "        missing: \"single heads were\",\n" +
  "    },\n" +
  "    last: {\n" +
  "        x: \"Head\",\n" +
  "        y: \"Layer\",\n" +
  "        where: \", at the last token\",\n" +
  "        title: \"Heads, at the prompt’s last token\",\n" +
  "        file: \"heads-last\",\n" +
  "        missing: \"single heads at the last token were\",\n" +
  "    },\n" +
  "};\n" +
  "function combine(table, column, group, correctFirst) {\n" +
  "    const parts = table.parts.filter((part) => (group === null || part.group === group) && (correctFirst === null || part.correctFirst === correctFirst));\n" +
  "    const both = parts.some((part) => part.correctFirst) && parts.some((part) => !part.correctFirst);\n" +
  "    const sums = new Map();\n" +
  "    for (const part of parts) {\n" +
  "        const places = new Map(part.rows.map(({ label, at }) => [label, at]));\n" +
  "        for (const row of part.rows) {\n" +
  "            const sum = sums.get(row.label) ?? {\n" +
  "                at: 0,\n" +
  "                weight: 0,\n" +
  "                total: table.across.map(() => 0),\n" +
  "                count: table.across.map(() => 0),\n" +
  "            };\n" +
  "            sums.set(row.label, sum);\n" +
  "            const at = both && !part.correctFirst ? (places.get(swapped(row.label)) ?? row.at) : row.at;\n" +
  "            sum.at += at * part.samples;\n" +
  "            sum.weight += part.samples;\n" +
  "            addRow(sum, row, columns.indexOf(column), column === \"effect\" ? row.effects : row.n);\n" +
  "        }\n" +
  "    }\n" +
  "    const rows = [...sums].map(([label, { at, weight, total, count }]) => ({\n" +
  "        label,\n" +
  "        at: at / weight,\n" +
  "        values: total.map((value, i) => (count[i] === 0 ? null : value / count[i])),\n" +
  "        counts: count,\n" +
  "    }));\n" +
  "    rows.sort((a, b) => Math.round(1e6 * (a.at - b.at)) || (a.label < b.label ? -1 : 1));\n" +
  "    return { samples: parts.reduce((sum, { samples }) => sum + samples, 0), rows };\n" +
  "}\n" +
  "function addRow(sum, row, column, counts) {\n" +
  "    row.means[column].forEach((mean, i) => {\n" +
  "        if (mean === null)\n" +
  "            return;\n" +
  "        const n = counts.length === 1 ? counts[0] : counts[i];\n" +
  "        sum.total[i] += mean * n;\n" +
  "        sum.count[i] += n;\n" +
  "    });\n" +
  "}\n" +
  "const swapped = (label) => label.replace(/\\b(in)?correct\\b/, (_, prefix) => (prefix ? \"correct\" : \"incorrect\"));\n" +
  "const orderName = (correctFirst) => correctFirst === null ? \"both orders\" : correctFirst ? \"Correct First\" : \"Incorrect First\";\n" +
  "const groupsOf = (table) => [...new Set(table.parts.map(({ group }) => group))].sort();\n" +
  "const purples = [\"#fcfbfd\", \"#efedf5\", \"#dadaeb\", \"#bcbddc\", \"#9e9ac8\", \"#807dba\", \"#6a51a3\", \"#54278f\", \"#3f007d\"];\n" +
  "const redBlue = [\n" +
  "    \"#053061\",\n" +
  "    \"#2166ac\",\n" +
  "    \"#4393c3\",\n" +
  "    \"#92c5de\",\n" +
  "    \"#d1e5f0\",\n" +
  "    \"#f7f7f7\",\n" +
  "    \"#fddbc7\",\n" +
  "    \"#f4a582\",\n" +
  "    \"#d6604d\",\n" +
  "    \"#b2182b\",\n" +
  "    \"#67001f\",\n" +
  "];\n" +
  "const units = {\n" +
  "    p_patched: \"probability of the correct answer\",\n" +
  "    p_diff: \"change of probability\",\n" +
  "    logit_diff: \"change of the logit difference (logits)\",\n" +
  "    effect: \"share of the difference brought back (1 = all)\",\n" +
  "};\n" +
  "function scaleOf(column, view, values) {\n" +
  "    let low = Number.POSITIVE_INFINITY;\n" +
  "    let high = Number.NEGATIVE_INFINITY;\n" +
  "    for (const value of values) {\n" +
  "        if (value === null)\n" +
  "            continue;\n" +
  "        low = Math.min(low, value);\n" +
  "        high = Math.max(high, value);\n" +
  "    }\n" +
  "    if (low > high)\n" +
  "        [low, high] = [0, 1];\n" +
  "    if (view === \"paper\") {\n" +
  "        const caption = `${column}, min–max normalised (${short(low)} … ${short(high)})`;\n" +
  "        return { anchors: purples, low, high, ends: [\"0\", \"1\"], caption };\n" +
  "    }\n" +
  "    const caption = `${column}: ${units[column]}`;\n" +
  "    if (column === \"p_patched\")\n" +
  "        return { anchors: purples, low: 0, high, ends: [\"0\", short(high)], caption };\n" +
  "    const bound = Math.max(Math.abs(low), Math.abs(high));\n" +
  "    return { anchors: redBlue, low: -bound, high: bound, ends: [short(-bound), short(bound)], caption };\n" +
  "}\n" +
  "function place(scale, value) {\n" +
  "    if (scale.high === scale.low)\n" +
  "        return scale.low < 0 || scale.anchors === redBlue ? 0.5 : 0;\n" +
  "    return Math.min(1, Math.max(0, (value - scale.low) / (scale.high - scale.low)));\n" +
  "}\n" +
  "function colourAt(anchors, where) {\n" +
  "    const at = Math.min(where * (anchors.length - 1), anchors.length - 1);\n" +
  "    const from = Math.min(Math.floor(at), anchors.length - 2);\n" +
  "    const channel = (anchor, i) => Number.parseInt(anchor.slice(1 + 2 * i, 3 + 2 * i), 16);\n" +
  "    const mixed = [0, 1, 2].map((i) => {\n" +
  "        const start = channel(anchors[from], i);\n" +
  "        return Math.round(start + (at - from) * (channel(anchors[from + 1], i) - start));\n" +
  "    });\n" +
  "    return `#${mixed.map((value) => value.toString(16).padStart(2, \"0\")).join(\"\")}`;\n" +
  "}\n" +
  "function inkOn(colour) {\n" +
  "    const [red, green, blue] = [1, 3, 5].map((i) => Number.parseInt(colour.slice(i, i + 2), 16));\n" +
  "    return 0.299 * red + 0.587 * green + 0.114 * blue > 140 ? \"#1d1b26\" : \"#ffffff\";\n" +
  "}\n" +
  "function short(value) {\n" +
  "    const size = Math.abs(value);\n" +
  "    const text = size !== 0 && (size < 0.001 || size >= 100_000)\n" +
  "        ? size.toExponential(1)\n" +
  "        : size >= 100\n" +
  "            ? size.toFixed(0)\n" +
  "            : size.toPrecision(3);\n" +
  "    return `${value < 0 ? \"−\" : \"\"}${size === 0 ? \"0\" : text}`;\n" +
  "}\n" +
  "function heatMap({ title, subtitle, grid, across, axes, scale, width, numbers, file }) {\n" +
  "    const { rows } = grid;\n" +
  "    const letter = 6.5;\n" +
  "    const labels = Math.max(4, ...rows.map(({ label }) => label.length));\n" +
  "    const left = Math.min(22 + labels * letter, 0.36 * width);\n" +
  "    const right = 40;\n" +
  "    const under = wrapped(subtitle, (width - 8) / 6.6);\n" +
  "    const top = 44 + 15 * under.length;\n" +
  "    const cellWidth = Math.min(72, (width - left - right) / Math.max(1, across.length));\n" +
  "    const cellHeight = rows.length > 24 ? Math.max(1.5, 576 / rows.length) : 24;\n" +
  "    const [plotWidth, plotHeight] = [cellWidth * across.length, cellHeight * rows.length];\n" +
  "    const bottom = top + plotHeight;\n" +
  "    const height = Math.ceil(bottom + 92);\n" +
  "    const ink = file ? \"#1d1b26\" : \"currentColor\";\n" +
  "    const text = (x, y, words, more = \"\") => `<text x=\"${fixed(x)}\" y=\"${fixed(y)}\"${more}>${escapeText(words)}</text>`;\n" +
  "    const size = (words, most) => fixed(Math.min(most, (width - 8) / (0.56 * words.length)));\n" +
  "    const every = Math.ceil(22 / cellWidth);\n" +
  "    const everyRow = Math.ceil(13 / cellHeight);\n" +
  "    const body = [\n" +
  "        text(4, 17, title, ` font-size=\"${size(title, 14.5)}\" font-weight=\"600\"`),\n" +
  "        ...under.map((line, i) => text(4, 35 + 15 * i, line, ` opacity=\"0.75\"`)),\n" +
  "        text(left + plotWidth + 6, top - 7, \"n\", ` opacity=\"0.75\" font-style=\"italic\"`),\n" +
  "        text(left - 8, top - 7, axes.y, ` text-anchor=\"end\" opacity=\"0.75\" font-style=\"italic\"`),\n" +
  "        ...rows.flatMap(({ label, values, counts }, r) => {\n" +
  "            const y = top + r * cellHeight;\n" +
  "            const middle = y + cellHeight / 2 + 4;\n" +
  "            const fits = Math.floor((left - 10) / letter);\n" +
  "            const shown = label.length > fits ? `${label.slice(0, fits - 1)}…` : label;\n" +
  "            const names = r % everyRow === 0\n" +
  "                ? [\n" +
  "                    text(left - 8, middle, shown, ` text-anchor=\"end\"`),\n" +
  "                    text(left + plotWidth + 6, middle, range(counts), ` opacity=\"0.75\"`),\n" +
  "                ]\n" +
  "                : [];\n" +
  "            return [...names, ...values.map((value, i) => cell(value, r * across.length + i, left + i * cellWidth, y))];\n" +
  "        }),\n" +
  "        ...across.flatMap((number, i) => i % every === 0 ? [text(left + (i + 0.5) * cellWidth, bottom + 16, String(number), ` text-anchor=\"middle\"`)] : []),\n" +
  "        text(left + plotWidth / 2, bottom + 32, axes.x, ` text-anchor=\"middle\" opacity=\"0.75\" font-style=\"italic\"`),\n" +
  "        colourBar(),\n" +
  "    ];\n" +
  "    const ground = file ? `<rect width=\"${fixed(width)}\" height=\"${height}\" fill=\"#ffffff\"/>` : \"\";\n" +
  "    return (`<svg width=\"${fixed(width)}\" height=\"${height}\" viewBox=\"0 0 ${fixed(width)} ${height}\" role=\"img\" aria-label=\"${escapeText(`${title}. ${subtitle}. ${scale.caption}`)}\" ` +\n" +
  "        `font-family=\"'Open Sans', system-ui, sans-serif\" font-size=\"12\" fill=\"${ink}\">${ground}${body.join(\"\")}</svg>\\n`);\n" +
  "    function cell(value, index, x, y) {\n" +
  "        const gap = cellHeight > 8 ? 1 : 0;\n" +
  "        const box = `x=\"${fixed(x)}\" y=\"${fixed(y)}\" width=\"${fixed(cellWidth - gap)}\" height=\"${fixed(cellHeight - gap)}\" data-cell=\"${index}\"`;\n" +
  "        if (value === null)\n" +
  "            return `<rect ${box} fill=\"${ink}\" fill-opacity=\"0.06\" stroke=\"${ink}\" stroke-opacity=\"0.35\" stroke-width=\"0.5\" stroke-dasharray=\"2 2\"/>`;\n" +
  "        const colour = colourAt(scale.anchors, place(scale, value));\n" +
  "        const number = short(value);\n" +
  "        const room = numbers && cellHeight >= 18 && cellWidth >= 6 * number.length + 2;\n" +
  "        const label = room\n" +
  "            ? text(x + (cellWidth - gap) / 2, y + cellHeight / 2 + 3.5, number, ` text-anchor=\"middle\" font-size=\"10\" fill=\"${inkOn(colour)}\" pointer-events=\"none\"`)\n" +
  "            : \"\";\n" +
  "        return `<rect ${box} fill=\"${colour}\"/>${label}`;\n" +
  "    }\n" +
  "    function colourBar() {\n" +
  "        const steps = 48;\n" +
  "        const length = Math.min(260, width - 24);\n" +
  "        const x = Math.max(12, Math.min(left, width - length - 12));\n" +
  "        const y = bottom + 44;\n" +
  "        const bars = Array.from({ length: steps }, (_, i) => {\n" +
  "            const colour = colourAt(scale.anchors, i / (steps - 1));\n" +
  "            return `<rect x=\"${fixed(x + (i * length) / steps)}\" y=\"${fixed(y)}\" width=\"${fixed(length / steps + 0.5)}\" height=\"10\" fill=\"${colour}\"/>`;\n" +
  "        });\n" +
  "        const frame = `<rect x=\"${fixed(x)}\" y=\"${fixed(y)}\" width=\"${fixed(length + 0.5)}\" height=\"10\" fill=\"none\" stroke=\"${ink}\" stroke-opacity=\"0.3\" stroke-width=\"0.5\"/>`;\n" +
  "        const zero = scale.low < 0 && scale.high > 0 && scale.ends[0] !== \"0\"\n" +
  "            ? text(x + length / 2, y + 23, \"0\", ` text-anchor=\"middle\" font-size=\"11\"`)\n" +
  "            : \"\";\n" +
  "        const caption = Math.min(11.5, (width - 8) / (0.53 * scale.caption.length));\n" +
  "        const captionAt = Math.min(x, Math.max(4, width - 4 - 0.53 * caption * scale.caption.length));\n" +
  "        return [\n" +
  "            ...bars,\n" +
  "            frame,\n" +
  "            text(x, y + 23, scale.ends[0], ` font-size=\"11\"`),\n" +
  "            zero,\n" +
  "            text(x + length, y + 23, scale.ends[1], ` text-anchor=\"end\" font-size=\"11\"`),\n" +
  "            text(captionAt, y + 40, scale.caption, ` font-size=\"${fixed(caption)}\" opacity=\"0.75\"`),\n" +
  "        ].join(\"\");\n" +
  "    }\n" +
  "}\n" +
  "function wrapped(words, letters) {\n" +
  "    const lines = [];\n" +
  "    for (const part of words.split(/(?<=, |\\.(?=\\S))/)) {\n" +
  "        const longer = `${lines.at(-1) ?? \"\"}${part}`;\n" +
  "        if (lines.length > 0 && longer.trimEnd().length <= letters)\n" +
  "            lines[lines.length - 1] = longer;\n" +
  "        else\n" +
  "            lines.push(part);\n" +
  "    }\n" +
  "    return lines;\n" +
  "}\n" +
  "function range(counts) {\n" +
  "    const [low, high] = [Math.min(...counts), Math.max(...counts)];\n" +
  "    return low === high ? String(low) : `${low}–${high}`;\n" +
  "}\n" +
  "const fixed = (value) => String(Math.round(value * 100) / 100);\n" +
  "const escapeText = (text) => text.replaceAll(\"&\", \"&amp;\").replaceAll(\"<\", \"&lt;\").replaceAll(\">\", \"&gt;\").replaceAll('\"', \"&quot;\");\n" +
  "const drawn = new Map();\n" +
  "const tip = document.getElementById(\"tip\");\n" +
  "function hideTip() {\n" +
  "    tip.hidden = true;\n" +
  "    for (const marked of document.querySelectorAll(\"[data-cell].on\"))\n" +
  "        marked.classList.remove(\"on\");\n" +
  "}\n" +
  "function say(figure, index) {\n" +
  "    const { table, grid, column } = drawn.get(figure);\n" +
  "    const rect = figure.querySelector(`[data-cell=\"${index}\"]`);\n" +
  "    if (!rect)\n" +
  "        return;\n" +
  "    hideTip();\n" +
  "    rect.classList.add(\"on\");\n" +
  "    const [r, i] = [Math.floor(index / table.across.length), index % table.across.length];\n" +
  "    const row = grid.rows[r];\n" +
  "    const value = row.values[i];\n" +
  "    const { x, y } = viewText[table.what];\n" +
  "    const first = table.what === \"tokens\" ? row.label : `${y.toLowerCase()} ${row.label}`;\n" +
  "    const where = `${first}, ${x.toLowerCase()} ${table.across[i]}`;\n" +
  "    const sites = { tokens: table.sites[i], patches: \"\", heads: table.sites[r], last: table.sites[r] };\n" +
  "    const said = value === null ? \"no value\" : `${column} ${value < 0 ? \"−\" : \"\"}${Math.abs(value).toPrecision(4)}`;\n" +
  "    tip.innerHTML = `<b>${escapeText(where)}</b><br>${said}<br>n = ${row.counts[i]}<br><small>${escapeText(sites[table.what] ?? \"\")}</small>`;\n" +
  "    tip.hidden = false;\n" +
  "    const box = rect.getBoundingClientRect();\n" +
  "    const room = document.documentElement.clientWidth - tip.offsetWidth - 8;\n" +
  "    tip.style.left = `${Math.max(8, Math.min(room, box.left + box.width / 2 - tip.offsetWidth / 2)) + scrollX}px`;\n" +
  "    const above = box.top - tip.offsetHeight - 8;\n" +
  "    tip.style.top = `${(above > 0 ? above : box.bottom + 8) + scrollY}px`;\n" +
  "}\n" +
  "function cellOf(target) {\n" +
  "    const rect = target instanceof Element ? target.closest(\"[data-cell]\") : null;\n" +
  "    const figure = rect?.closest(\"figure\");\n" +
  "    return rect && figure ? { figure, index: Number(rect.getAttribute(\"data-cell\")) } : null;\n" +
  "}\n" +
  "function pointAt(event) {\n" +
  "    const cell = cellOf(event.target);\n" +
  "    if (cell)\n" +
  "        say(cell.figure, cell.index);\n" +
  "    else\n" +
  "        hideTip();\n" +
  "}\n" +
  "function step(event) {\n" +
  "    if (event.key === \"Escape\")\n" +
  "        hideTip();\n" +
  "    const figure = event.target instanceof SVGElement ? event.target.closest(\"figure\") : null;\n" +
  "    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];\n" +
  "    if (!figure || !move)\n" +
  "        return;\n" +
  "    event.preventDefault();\n" +
  "    const { table, grid } = drawn.get(figure);\n" +
  "    const now = figure.querySelector(\"[data-cell].on\")?.getAttribute(\"data-cell\") ?? 0;\n" +
  "    const wide = table.across.length;\n" +
  "    const bounded = (value, count) => Math.min(count - 1, Math.max(0, value));\n" +
  "    const [r, i] = [\n" +
  "        bounded(Math.floor(Number(now) / wide) + move[0], grid.rows.length),\n" +
  "        bounded((Number(now) % wide) + move[1], wide),\n" +
  "    ];\n" +
  "    say(figure, r * wide + i);\n" +
  "}\n" +
  "const runs = JSON.parse(document.getElementById(\"tables\").textContent);\n" +
  "const tables = runs.flatMap((run) => run.tables);\n" +
  "const form = document.getElementById(\"choice\");\n" +
  "function choice() {\n" +
  "    const values = Object.fromEntries(new FormData(form));\n" +
  "    const kinds = runs.map((_, i) => values[`kind${i}`] ?? \"\");\n" +
  "    return { ...values, kinds, numbers: values.numbers === \"on\" };\n" +
  "}\n" +
  "function offer(name, options, initial = options[0]?.[0] ?? \"\") {\n" +
  "    const list = form.elements.namedItem(name);\n" +
  "    const before = list.value;\n" +
  "    list.replaceChildren(...options.map(([value, label]) => new Option(label, value)));\n" +
  "    list.value = options.some(([value]) => value === before) ? before : initial;\n" +
  "}\n" +
  "const distinct = (values) => [...new Set(values)].map((value) => [value, value]);\n" +
  "function offerAll() {\n" +
  "    offer(\"task\", distinct(tables.map(({ task }) => task)));\n" +
  "    offer(\"mode\", distinct(tables.filter(({ task }) => task === choice().task).map(({ mode }) => mode)));\n" +
  "    for (const [i, { tables }] of runs.entries()) {\n" +
  "        const here = tables.filter((table) => table.task === choice().task && table.mode === choice().mode);\n" +
  "        const withHeads = here.findLast(({ what }) => what === \"heads\")?.kind;\n" +
  "        offer(`kind${i}`, distinct(here.map(({ kind }) => kind)), withHeads);\n" +
  "    }\n" +
  "    const groups = tables.filter(({ task }) => task === choice().task).flatMap(groupsOf);\n" +
  "    offer(\"group\", [\n" +
  "        [\"all\", \"all groups\"],\n" +
  "        [\"each\", \"side by side\"],\n" +
  "        ...distinct([...new Set(groups)].sort()).map(([group]) => [`=${group}`, group]),\n" +
  "    ]);\n" +
  "}\n" +
  "function draw() {\n" +
  "    offerAll();\n" +
  "    drawn.clear();\n" +
  "    hideTip();\n" +
  "    const now = choice();\n" +
  "    for (const [i, { tables }] of runs.entries()) {\n" +
  "        for (const what of views) {\n" +
  "            const place = document.getElementById(`${what}-${i}`);\n" +
  "            if (!place)\n" +
  "                continue;\n" +
  "            const kind = now.kinds[i];\n" +
  "            const table = tables.find((one) => one.what === what && one.task === now.task && one.mode === now.mode && one.kind === kind);\n" +
  "            if (table)\n" +
  "                drawTable(place, table, now);\n" +
  "            else\n" +
  "                place.innerHTML = `<p class=\"quiet\">No ${viewText[what].missing} patched for ${escapeText(kind || `${now.task} in ${now.mode} corruption`)} in this run.</p>`;\n" +
  "        }\n" +
  "    }\n" +
  "}\n" +
  "function drawTable(place, table, now) {\n" +
  "    const chosen = now.order === \"both\" ? null : now.order === \"first\";\n" +
  "    const groups = now.group === \"each\" ? groupsOf(table) : [now.group === \"all\" ? null : now.group.slice(1)];\n" +
  "    const orders = now.group === \"each\" && chosen === null ? [true, false] : [chosen];\n" +
  "    const panels = groups.flatMap((group) => orders.map((order) => ({ group, order, grid: combine(table, now.column, group, order) })));\n" +
  "    const shared = scaleOf(now.column, now.view, panels.flatMap(({ grid }) => grid.rows.flatMap(({ values }) => values)));\n" +
  "    place.classList.toggle(\"many\", panels.length > 1);\n" +
  "    place.replaceChildren(...panels.map(({ group, order, grid }) => {\n" +
  "        const figure = document.createElement(\"figure\");\n" +
  "        const title = `${table.task} - ${group ?? \"all groups\"} - ${orderName(order)}`;\n" +
  "        if (grid.samples === 0)\n" +
  "            figure.innerHTML = `<p class=\"quiet\">No data for ${escapeText(title)}.</p>`;\n" +
  "        const own = now.view === \"paper\"\n" +
  "            ? scaleOf(now.column, now.view, grid.rows.flatMap(({ values }) => values))\n" +
  "            : shared;\n" +
  "        drawn.set(figure, { table, grid, column: now.column });\n" +
  "        if (grid.samples > 0)\n" +
  "            fill(figure, title, own, now);\n" +
  "        return figure;\n" +
  "    }));\n" +
  "    for (const figure of place.querySelectorAll(\"figure\"))\n" +
  "        drawAt(figure);\n" +
  "}\n" +
  "const pending = new Map();\n" +
  "function fill(figure, title, scale, now) {\n" +
  "    const { table, grid } = drawn.get(figure);\n" +
  "    const { x, y } = viewText[table.what];\n" +
  "    const subtitle = `${table.mode} corruption, ${table.kind}, mean of ${grid.samples} ${grid.samples === 1 ? \"sample\" : \"samples\"}`;\n" +
  "    const axes = { x, y };\n" +
  "    pending.set(figure, (width) => {\n" +
  "        figure.innerHTML = heatMap({\n" +
  "            title,\n" +
  "            subtitle,\n" +
  "            grid,\n" +
  "            across: table.across,\n" +
  "            axes,\n" +
  "            scale,\n" +
  "            width,\n" +
  "            numbers: now.numbers,\n" +
  "        });\n" +
  "        const svg = figure.querySelector(\"svg\");\n" +
  "        svg.tabIndex = 0;\n" +
  "        figure.insertAdjacentHTML(\"beforeend\", numbersTable(table, grid));\n" +
  "    });\n" +
  "}\n" +
  "function drawAt(figure) {\n" +
  "    pending.get(figure)?.(Math.max(240, Math.floor(figure.clientWidth)));\n" +
  "}\n" +
  "function numbersTable(table, grid) {\n" +
  "    const cell = (value) => `<td>${value === null ? \"\" : short(value)}</td>`;\n" +
  "    const head = `<tr><th scope=\"col\">${viewText[table.what].y}</th>${table.across.map((number) => `<th scope=\"col\">${number}</th>`).join(\"\")}</tr>`;\n" +
  "    const rows = grid.rows.map(({ label, values }) => `<tr><th scope=\"row\">${escapeText(label)}</th>${values.map(cell).join(\"\")}</tr>`);\n" +
  "    return `<details><summary>Numbers</summary><div class=\"wide\"><table><thead>${head}</thead><tbody>${rows.join(\"\")}</tbody></table></div></details>`;\n" +
  "}\n" +
  "form.addEventListener(\"change\", draw);\n" +
  "document.addEventListener(\"pointerover\", pointAt);\n" +
  "document.addEventListener(\"pointerdown\", pointAt);\n" +
  "document.addEventListener(\"keydown\", step);\n" +
  "document.addEventListener(\"focusin\", (event) => {\n" +
  "    const figure = event.target instanceof SVGElement ? event.target.closest(\"figure\") : null;\n" +
  "    if (figure?.contains(event.target) && event.target.matches(\":focus-visible\"))\n" +
  "        say(figure, 0);\n" +
  "});\n" +
  "let lastWidth = innerWidth;\n" +
  "addEventListener(\"resize\", () => {\n" +
  "    if (innerWidth === lastWidth)\n" +
  "        return;\n" +
  "    lastWidth = innerWidth;\n" +
  "    for (const figure of drawn.keys())\n" +
  "        drawAt(figure);\n" +
  "});\n" +
  "draw();\n" +
  "})();";
