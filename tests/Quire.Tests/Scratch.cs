namespace Quire.Tests;

/// <summary>Folders for files that tests make and leave; all of them go when the process ends.</summary>
internal static class Scratch
{
    private static readonly Lazy<DirectoryInfo> s_root = new(static () =>
    {
        DirectoryInfo root = Directory.CreateTempSubdirectory("quire-tests-");
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Remove(root);
        return root;
    });

    private static int s_last;

    private static void Remove(DirectoryInfo root)
    {
        try
        {
            root.Delete(recursive: true);
        }
        catch (Exception fault) when (fault is IOException or UnauthorizedAccessException)
        {
            // A thread or a child of some test still writes there. Thrown at the exit it would make a passed run a failed one.
        }
    }

    /// <summary>A path in an empty folder of its own.</summary>
    internal static string FreshPath(string name) => Path.Combine(s_root.Value.CreateSubdirectory($"{Interlocked.Increment(ref s_last)}").FullName, name);
}
