using System.Reflection;

namespace Quire.Tests.Tracing.Stacks;

/// <summary>Runs the scenes of a class, one after another, in a process of their own (<see cref="StartupHook"/>).</summary>
internal static class SceneRunner
{
    internal const string Variable = "QUIRE_TEST_SCENES";

    /// <summary>Runs every public method; prints what failed, and the totals. Returns how many failed.</summary>
    internal static int Run(string scenes)
    {
        MethodInfo[] methods = typeof(SceneRunner).Assembly.GetType(scenes, throwOnError: true)!.GetMethods(BindingFlags.Public | BindingFlags.Static | BindingFlags.DeclaredOnly);
        int failed = 0;
        foreach (MethodInfo scene in methods)
        {
            try
            {
                scene.CreateDelegate<Action>()();
            }
            catch (Exception failure)
            {
                failed++;
                Console.WriteLine($"{scene.Name}: {failure}");
            }
        }

        Console.WriteLine($"Total: {methods.Length}, Failed: {failed},");
        return failed;
    }
}
