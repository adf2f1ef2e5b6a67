using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;

namespace Quire.AspNetCore;

/// <summary>The report as a page: one file, no script, nothing fetched; wide tables on a desk, a card a row on a phone.</summary>
/// <remarks>All that comes from the application (names, files, members, threads, frames) goes through <see cref="Text"/>.</remarks>
internal static class HoldersHtml
{
    private const string Style = """
        :root{color-scheme:light dark;--line:#8884;--dim:#777;--bar:#3b82f6;--old:#c2410c}
        *{box-sizing:border-box}
        body{font:15px/1.45 system-ui,sans-serif;margin:0 auto;padding:1rem;max-width:76rem}
        h1{font-size:1.3rem;margin:.2rem 0}
        h2{font-size:1.05rem;margin:1.6rem 0 .3rem;overflow-wrap:anywhere}
        p{margin:.3rem 0}
        .dim{color:var(--dim)}
        .bar{height:.5rem;border-radius:.25rem;background:var(--line);overflow:hidden;margin:.4rem 0}
        .bar i{display:block;height:100%;background:var(--bar)}
        table{border-collapse:collapse;width:100%;margin-top:.5rem;font-variant-numeric:tabular-nums}
        th,td{padding:.3rem .6rem;border-bottom:1px solid var(--line);text-align:right;vertical-align:top}
        th{font-weight:600;font-size:.85rem;color:var(--dim)}
        td:first-child,th:first-child,td:last-child,th:last-child,td:nth-child(2),th:nth-child(2){text-align:left}
        td:first-child{font-weight:600;overflow-wrap:anywhere}
        tr.first td:nth-child(7){color:var(--old);font-weight:600}
        tr.design td{color:var(--dim);font-weight:400}
        details pre{margin:.2rem 0;font-size:.8rem;font-weight:400;white-space:pre-wrap;overflow-wrap:anywhere}
        summary{cursor:pointer;font-weight:400;font-size:.85rem;color:var(--dim)}
        form{margin:.6rem 0}
        input,button{font:inherit;padding:.3rem .6rem}
        input{width:6rem}
        @media(max-width:44rem){
        thead{display:none}
        tr{display:block;border:1px solid var(--line);border-radius:.5rem;margin:.6rem 0;padding:.3rem .2rem}
        td,td:first-child,td:nth-child(2),td:last-child{display:flex;justify-content:space-between;gap:1rem;border:0;text-align:right;padding:.15rem .5rem}
        td:first-child{display:block;text-align:left}
        td:not(:first-child)::before{content:attr(data-of);color:var(--dim);font-weight:400}
        }
        """;

    internal static string Of(HoldersReport report, QuireHoldersOptions options)
    {
        StringBuilder page = new();
        page.Append("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><title>Quire: who holds what</title>\n<style>\n");
        page.Append(Style).Append("\n</style></head><body>\n<h1>Who holds what</h1>\n");
        page.Append("<p>").Append(Text(HoldersText.Ledger(report))).Append("</p>\n");
        if (options.AllowTracking)
        {
            int most = (int)options.MaximumTracking.TotalSeconds;
            page.Append(CultureInfo.InvariantCulture,
                $"<form method=\"post\"><label>Ledger on for <input type=\"number\" name=\"seconds\" min=\"1\" max=\"{most}\" value=\"{Math.Min(60, most)}\"> s</label> <button>{(report.Tracking ? "Keep on" : "Switch on")}</button></form>\n");
        }

        foreach (AllocatorReport allocator in report.Allocators)
        {
            Allocator(page, allocator);
        }

        Pools(page, report.Pools);
        page.Append(CultureInfo.InvariantCulture, $"<p class=\"dim\">{report.Time:yyyy-MM-dd HH:mm:ss} UTC &middot; <a href=\"?format=json\">JSON</a> &middot; <a href=\"?format=text\">text</a></p>\n</body></html>\n");
        return page.ToString();
    }

    private static void Allocator(StringBuilder page, AllocatorReport allocator)
    {
        double share = allocator.LimitBytes == 0 ? 0 : 100.0 * allocator.InUseBytes / allocator.LimitBytes;
        page.Append("<h2>Allocator ").Append(Text(allocator.Name)).Append("</h2>\n<p>").Append(Text(HoldersText.Memory(allocator))).Append("</p>\n");
        page.Append(CultureInfo.InvariantCulture, $"<div class=\"bar\" role=\"img\" aria-label=\"{share:0} % of the limit in use\"><i style=\"width:{share:0.##}%\"></i></div>\n");
        if (allocator.UntrackedReferences > 0)
        {
            page.Append(CultureInfo.InvariantCulture,
                $"<p>{allocator.UntrackedReferences} untracked references to {allocator.UntrackedPages} pages: taken before the ledger was on, or with it full.</p>\n");
        }

        if (allocator.Holders.Count == 0)
        {
            page.Append(allocator.UntrackedReferences > 0 ? "" : "<p class=\"dim\">Nobody holds anything.</p>\n");
            return;
        }

        page.Append("<table><thead><tr><th>Site<th>Kind<th>References<th>Pages<th>Used<th>Keeps<th>Oldest<th>Threads</tr></thead><tbody>\n");
        for (int i = 0; i < allocator.Holders.Count; i++)
        {
            Row(page, allocator.Holders[i], isFirst: i == 0);
        }

        page.Append("</tbody></table>\n");
    }

    private static void Row(StringBuilder page, HolderReport row, bool isFirst)
    {
        page.Append(row.ByDesign ? "<tr class=\"design\">" : isFirst ? "<tr class=\"first\">" : "<tr>");
        page.Append("<td title=\"").Append(Text(row.File)).Append("\">").Append(Text(row.Site));
        if (row.Stack.Count != 0)
        {
            page.Append("<details><summary>stack</summary><pre>").Append(Text(string.Join('\n', row.Stack))).Append("</pre></details>");
        }

        Cell(page, "Kind", row.ByDesign ? $"{Kind(row.Kind)} (by design)" : Kind(row.Kind));
        Cell(page, "References", row.References.ToString(CultureInfo.InvariantCulture));
        Cell(page, "Pages", row.Pages.ToString(CultureInfo.InvariantCulture));
        Cell(page, "Used", row.UsedBytes > 0 ? HoldersText.Size(row.UsedBytes) : "-");
        Cell(page, "Keeps", row.PinnedBytes > 0 ? HoldersText.Size(row.PinnedBytes) : "-");
        Cell(page, "Oldest", HoldersText.Age(row.OldestSeconds));
        Cell(page, "Threads", string.Join(", ", row.Threads.Take(3)) + (row.Threads.Count > 3 ? $" (+{row.Threads.Count - 3})" : ""));
        page.Append("</tr>\n");
    }

    private static void Cell(StringBuilder page, string of, string value) => page.Append("<td data-of=\"").Append(of).Append("\">").Append(Text(value));

    private static void Pools(StringBuilder page, IReadOnlyList<PoolReport> pools)
    {
        if (pools.Count == 0)
        {
            return;
        }

        page.Append("<h2>Memory pools</h2>\n");
        foreach (PoolReport pool in pools)
        {
            page.Append("<p><b>").Append(Text(pool.Name)).Append("</b> on ").Append(Text(pool.Allocator)).Append(": ").Append(Text(HoldersText.Rented(pool))).Append("</p>\n");
        }
    }

    private static string Kind(HolderKind kind) => kind switch
    {
        HolderKind.LongTermPin => "long-term pin",
        HolderKind.Bias => "cache bias",
        HolderKind.Movable => "movable table",
        _ => kind.ToString().ToLowerInvariant(),
    };

    private static string Text(string value) => HtmlEncoder.Default.Encode(value);
}
