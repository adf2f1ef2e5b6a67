using System.Text;

namespace Quire.Traces.Tests;

/// <summary>Does to a text what mail programs, terminals and people do to it.</summary>
internal sealed class MailMangler(int seed)
{
    private static readonly string[] s_before =
    [
        "Hi,\n\nmy camera can't get its buffer. This is what I see:\n\n", "From: a@b.example\nSubject: Re: CMA: pages=64 busy\n\nOn Tue, 3 Mar 2026, B wrote:\n", "$ cat trace\n", "",
    ];

    private static readonly string[] s_after = ["\nregards,\nA\n-- \nA\n", "\n\nThe page is pinned - but by whom? [1]\n\n[1] see above\n", ""];

    private readonly Random _random = new(seed);

    /// <summary>How it was changed, for messages.</summary>
    internal string About { get; private set; } = $"seed {seed}";

    internal byte[] Mangle(string text)
    {
        int quotes = _random.Next(4);
        string mark = string.Concat(Enumerable.Repeat(_random.Next(2) == 0 ? "> " : ">", quotes));
        mark = mark.Length > 0 && mark[^1] == '>' ? mark + " " : mark;
        int width = _random.Next(3) == 0 ? int.MaxValue : _random.Next(72, 79);
        bool isQuotedFirst = _random.Next(2) == 0;
        bool isHard = _random.Next(4) == 0;
        bool isTabbed = _random.Next(4) == 0;
        string end = _random.Next(3) == 0 ? "\r\n" : "\n";
        string before = s_before[_random.Next(s_before.Length)];
        string after = s_after[_random.Next(s_after.Length)];
        About += $", {quotes} quotes, width {width}, {(isQuotedFirst ? "quoted, then wrapped" : "wrapped, then quoted")}{(isHard ? ", hard spaces" : "")}{(isTabbed ? ", tabs" : "")}{(end.Length == 2 ? ", CRLF" : "")}";
        StringBuilder result = new();
        result.Append(before);
        foreach (string line in text.Split('\n'))
        {
            string changed = isTabbed && line.StartsWith(" =>", StringComparison.Ordinal) ? "\t" + line[1..] : line;
            string[] parts = [.. Wrap(isQuotedFirst ? mark + changed : changed, width)];
            foreach (string part in parts)
            {
                result.Append(isQuotedFirst ? part : mark + part).Append('\n');
            }
        }

        result.Append(after);
        string whole = result.ToString().Replace("\n", end, StringComparison.Ordinal);
        whole = isHard ? whole.Replace("  ", " \u00a0", StringComparison.Ordinal) : whole;
        if (_random.Next(5) == 0)
        {
            About += ", quoted-printable";
            whole = string.Join('\n', whole.Split('\n').Select(Encode));
        }

        return [.. _random.Next(3) == 0 ? Encoding.UTF8.Preamble : default, .. Encoding.UTF8.GetBytes(whole)];
    }

    /// <summary>Quoted-printable: lines of 76 characters at most, broken anywhere but within a code.</summary>
    private static string Encode(string line)
    {
        StringBuilder encoded = new();
        int columns = 0;
        foreach (byte c in Encoding.UTF8.GetBytes(line))
        {
            string code = c is (byte)'=' or > 126 ? $"={c:X2}" : $"{(char)c}";
            if (columns + code.Length > 75 && c != '\r')
            {
                encoded.Append("=\n");
                columns = 0;
            }

            encoded.Append(code);
            columns += code.Length;
        }

        return encoded.ToString();
    }

    /// <summary>Breaks a line at spaces; what is left goes on at the first column. Words are not broken.</summary>
    private static IEnumerable<string> Wrap(string line, int width)
    {
        while (line.Length > width)
        {
            int first = 0;
            while (first < line.Length && line[first] is ' ' or '>')
            {
                first++;
            }

            int space = line.LastIndexOf(' ', width);
            space = space > first ? space : line.IndexOf(' ', Math.Max(first, width));
            if (space < 0)
            {
                break;
            }

            yield return line[..space].TrimEnd(' ');
            line = line[space..].TrimStart(' ');
        }

        yield return line;
    }
}
