using System.Globalization;
using System.Text;

namespace Quire.AspNetCore;

/// <summary>The report for a terminal.</summary>
internal static class HoldersText
{
    private static readonly string[] s_units = ["B", "KiB", "MiB", "GiB", "TiB"];

    internal static string Of(HoldersReport report)
    {
        StringBuilder text = new();
        text.Append(Ledger(report)).Append('\n');
        foreach (AllocatorReport allocator in report.Allocators)
        {
            text.Append('\n').Append(CultureInfo.InvariantCulture, $"allocator '{allocator.Name}': {Memory(allocator)}\n");
            text.Append(allocator.Table);
        }

        if (report.Pools.Count != 0)
        {
            text.Append('\n');
        }

        foreach (PoolReport pool in report.Pools)
        {
            text.Append(CultureInfo.InvariantCulture, $"pool '{pool.Name}' on '{pool.Allocator}': {Rented(pool)}\n");
        }

        return text.ToString();
    }

    /// <summary>Whether holders are known, in a sentence.</summary>
    internal static string Ledger(HoldersReport report) =>
        !report.Tracking ? "ledger: off. Who takes a reference now is not recorded; references without a record show as untracked."
        : report.TrackingSecondsLeft > 0 ? string.Create(CultureInfo.InvariantCulture, $"ledger: on, from here for {report.TrackingSecondsLeft:0} s more")
        : "ledger: on";

    internal static string Memory(AllocatorReport allocator) =>
        $"{Size(allocator.InUseBytes)} in use of at most {Size(allocator.LimitBytes)}; {Size(allocator.FreeBytes)} free, of which {Size(allocator.GivenBackBytes)} are given back to the system"
        + (allocator.RetiredBytes == 0 ? "" : $"; {Size(allocator.RetiredBytes)} kept out of use");

    internal static string Rented(PoolReport pool) => string.Create(CultureInfo.InvariantCulture,
        $"{pool.RentedOwners} owners out, {Size(pool.RentedBytes)}; {pool.Pins} pins, {pool.Waiters} waiting; {pool.Rents} rents since its start");

    /// <summary>As <see cref="HolderTable"/> shows bytes.</summary>
    internal static string Size(long bytes)
    {
        double value = bytes;
        int unit = 0;
        while (value >= 1024 && unit < s_units.Length - 1)
        {
            value /= 1024;
            unit++;
        }

        return string.Create(CultureInfo.InvariantCulture, $"{value.ToString(unit > 0 && value < 10 && value != Math.Floor(value) ? "0.0" : "0", CultureInfo.InvariantCulture)} {s_units[unit]}");
    }

    /// <summary>As <see cref="HolderTable"/> shows ages: never more than they are.</summary>
    internal static string Age(double seconds) => seconds switch
    {
        < 1 => string.Create(CultureInfo.InvariantCulture, $"{Math.Max(0, Math.Floor(seconds * 1000)):0} ms"),
        < 60 => string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(seconds * 10) / 10:0.0} s"),
        < 3600 => string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(seconds / 60):0} min"),
        < 86_400 => string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(seconds / 3600):0} h"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{Math.Floor(seconds / 86_400):0} d"),
    };
}
