using System.Globalization;
using System.Text;

namespace Quire.Traces;

/// <summary>Names of addresses, out of a <c>kallsyms</c> text. Sorted when first asked; a name becomes a string when first asked for.</summary>
internal sealed class KernelSymbols(byte[] text)
{
    private readonly Dictionary<ulong, string> _names = [];
    private ulong[]? _addresses;
    private int[] _starts = [];

    /// <summary>The symbol an address lies in, or null.</summary>
    internal string? NameOf(ulong address)
    {
        if (_names.TryGetValue(address, out string? name))
        {
            return name;
        }

        if (_addresses is null)
        {
            Index();
        }

        int at = Array.BinarySearch(_addresses!, address);
        at = at < 0 ? ~at - 1 : at;
        if (at < 0)
        {
            return null;
        }

        ReadOnlySpan<byte> rest = text.AsSpan(_starts[at]);
        int end = rest.IndexOf((byte)'\n');
        rest = end < 0 ? rest : rest[..end];
        // A module's function has the module behind a tab; the kernel prints a blank there.
        int tab = rest.IndexOf((byte)'\t');
        name = tab < 0 ? Encoding.UTF8.GetString(rest) : $"{Encoding.UTF8.GetString(rest[..tab])} {Encoding.UTF8.GetString(rest[(tab + 1)..])}";
        _names[address] = name;
        return name;
    }

    private void Index()
    {
        List<(ulong Address, int Start)> symbols = [];
        ReadOnlySpan<byte> all = text;
        for (int at = 0; at < all.Length;)
        {
            ReadOnlySpan<byte> line = all[at..];
            int end = line.IndexOf((byte)'\n');
            line = end < 0 ? line : line[..end];

            // "address type name", and "\t[module]" behind some.
            int space = line.IndexOf((byte)' ');
            if (space is > 0 and <= 16 && line.Length > space + 3 && line[space + 2] == ' '
                && ulong.TryParse(line[..space], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong address))
            {
                symbols.Add((address, at + space + 3));
            }

            at += line.Length + 1;
        }

        // Of several names at one address the first stands: the sort must be stable, which the place in the text makes it.
        symbols.Sort(static (a, b) => a.Address != b.Address ? a.Address.CompareTo(b.Address) : a.Start.CompareTo(b.Start));
        List<ulong> addresses = new(symbols.Count);
        List<int> starts = new(symbols.Count);
        foreach ((ulong address, int start) in symbols)
        {
            if (addresses.Count == 0 || addresses[^1] != address)
            {
                addresses.Add(address);
                starts.Add(start);
            }
        }

        _starts = [.. starts];
        _addresses = [.. addresses];
    }
}
